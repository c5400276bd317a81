"""The protocol of back ends: what ``run`` gives one, and what it returns."""

from pathlib import Path

import pytest
import torch

from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.sim import Record, run
from stochi.sim.backends import BACKENDS, Backend, Progress, check_backend
from stochi.sim.inputs import check_draws
from stochi.sim.recording import Probes
from tests.conftest import dense_net

IMAGES = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(3))


class FakeBackend:
    """A back end that notes what it is given."""

    def __init__(self) -> None:
        self.made: list[tuple[str | torch.device, int]] = []
        self.given: list[tuple[Program, torch.Tensor, Draws, Probes]] = []
        self.record = Record(torch.zeros(3, 3, dtype=torch.float64))

    def make(self, device: str | torch.device, threads: int) -> Backend:
        self.made.append((device, threads))
        return self

    def run(
        self,
        program: Program,
        shown: torch.Tensor,
        draws: Draws,
        probes: Probes,
        progress: Progress,
    ) -> Record:
        self.given.append((program, shown, draws, probes))
        progress(1, 3)
        assert torch.get_num_threads() == 1
        return self.record


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    backend = FakeBackend()
    monkeypatch.setitem(BACKENDS, "fake", backend.make)
    return backend


@pytest.fixture(scope="module")
def program() -> Program:
    return lower(to_nir(dense_net(), IMAGES[:1]), random_source="lfsr")


def test_a_registered_back_end_runs_the_program(
    fake: FakeBackend, program: Program, tmp_path: Path
) -> None:
    threads, seen = torch.get_num_threads(), []
    record = run(
        program,
        IMAGES,
        "fake",
        seed=7,
        trial=2,
        probes=("membrane",),
        first_sample=5,
        device="somewhere",
        progress=lambda done, total: seen.append((done, total)),
        probe_folder=tmp_path / "probes",
    )
    assert record is fake.record and fake.made == [("somewhere", threads)]
    ((given, shown, draws, probes),) = fake.given
    assert given is program and torch.equal(shown, IMAGES[None])
    assert draws == Draws(7, 2, 5, "lfsr")
    assert probes == Probes(("membrane",), tmp_path / "probes")
    assert seen == [(1, 3)] and (tmp_path / "probes").is_dir()
    assert torch.get_num_threads() == threads


def test_defaults_are_filled_in(fake: FakeBackend, program: Program) -> None:
    frames = IMAGES.expand(program.target.time_steps, *IMAGES.shape)
    run(program, frames, "fake", probes="spikes")  # type: ignore[arg-type]
    ((_, shown, draws, probes),) = fake.given
    assert torch.equal(shown, frames)
    assert draws == Draws(source="lfsr") and probes == Probes(("spikes",))


def test_inputs_and_arguments_are_checked_first(fake: FakeBackend, program: Program) -> None:
    for inputs, options in (
        (IMAGES[:, :, :3], {}),
        (2 + IMAGES, {}),
        (IMAGES, {"seed": -1}),
        (IMAGES, {"probes": ("noise",)}),
        (IMAGES, {"first_sample": 2**32 - 2}),
    ):
        with pytest.raises(InputError):
            run(program, inputs, "fake", **options)  # type: ignore[arg-type]
    assert not fake.made and not fake.given


def test_an_unknown_back_end_is_refused_with_the_known_ones(fake: FakeBackend) -> None:
    check_backend("fake")
    with pytest.raises(InputError, match="backend is 'gpu'; choose from engine, lava, fake"):
        check_backend("gpu")


def test_inputs_stay_as_they_were(program: Program) -> None:
    inputs = IMAGES.double() / 3
    before = inputs.clone()
    run(program, inputs)
    assert torch.equal(inputs, before)


def test_draws_of_another_random_source_are_refused(program: Program) -> None:
    with pytest.raises(InputError, match="come from 'philox', but this Program draws from 'lfsr'"):
        check_draws(program, Draws(), 3)


def test_what_is_not_a_program_is_refused_with_what_makes_one(program: Program) -> None:
    with pytest.raises(InputError, match=r"has type str; make one with stochi\.deploy\.lower"):
        run("m.program", IMAGES)  # type: ignore[arg-type]
