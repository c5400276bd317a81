"""What runs in several threads gives what it gives alone, and ends."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
from torch import nn

from stochi.attacks import PGD, ProgramModel, Square, make_attack
from stochi.data import Images
from stochi.deploy import lower, measure_model
from stochi.export import to_nir
from stochi.hardware import Draws
from stochi.parity import ablate, check_parity
from stochi.sim import run
from stochi.sim.engine.compiled.engine import CompiledEngine
from stochi.sim.engine.threads import one_torch_thread
from stochi.sim.engine.torch_engine import run_torch
from stochi.sim.inputs import check_inputs, to_frames
from stochi.train import (
    NetworkConfig,
    TrainingConfig,
    load_checkpoint,
    save_checkpoint,
    train_classifier,
)
from stochi.turns import seeded
from tests.conftest import dense_net
from tests.processes.cases import (
    Case,
    in_threads,
    make_cases,
    threads_of_a_new_thread,
    torch_threads,
)

FOUR = 4


@pytest.fixture(autouse=True)
def _torch_has_threads() -> Iterator[None]:
    with torch_threads(FOUR):
        yield
        assert torch.get_num_threads() == FOUR
        assert threads_of_a_new_thread() == FOUR


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return make_cases()


def run_often(cases: list[Case], times: int, number: int) -> int:
    assert torch.get_num_threads() == FOUR
    right = sum(cases[(number + turn) % len(cases)].is_right() for turn in range(times))
    assert torch.get_num_threads() == FOUR
    return right


@pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_runs_in_eight_threads_are_right(cases: list[Case], times: int) -> None:
    calls = [partial(run_often, cases, times, number) for number in range(8)]
    assert in_threads(calls) == [times] * 8


def test_a_run_within_a_run_and_runs_from_its_progress_end(cases: list[Case]) -> None:
    found: list[bool] = []

    def again(done: int, total: int) -> None:
        found.append(cases[1].is_right())
        found.extend(in_threads([cases[2].is_right]))

    run(cases[0].program, cases[0].inputs, progress=again)
    assert len(found) >= 2 * FOUR
    assert all(found)


def test_an_engine_of_several_threads_is_right(cases: list[Case]) -> None:
    case = cases[0]
    frames = to_frames(case.program, check_inputs(case.program, case.inputs))
    engine = CompiledEngine(case.program, single_frame=True)

    def compiled() -> bool:
        result = engine.run(frames, Draws(), ("membrane",))
        assert result.membrane is not None
        last = list(case.alone.membrane.values())[-1]
        return bool((result.membrane[:, :, -last[0, 0].numel() :] == last.flatten(2).numpy()).all())

    def in_torch() -> bool:
        *_, last = run_torch(case.program, frames, Draws())
        return all(torch.equal(last[n].membrane, m[-1]) for n, m in case.alone.membrane.items())

    assert in_threads([compiled, in_torch] * 3) == [True] * 6


def test_one_thread_for_torch_is_one_thread_for_this_thread_only() -> None:
    with one_torch_thread() as before:
        assert before == FOUR
        assert torch.get_num_threads() == 1
        assert threads_of_a_new_thread() == FOUR


@pytest.mark.lava
def test_lava_in_threads_is_right(cases: list[Case]) -> None:
    case = cases[2]

    def on_lava() -> bool:
        found = run(case.program, case.inputs[:3], "lava")
        return torch.equal(found.logits, case.alone.logits[:3])

    assert in_threads([on_lava, case.is_right, on_lava]) == [True] * 3


def attacked(model: nn.Module, name: str, images: Images) -> torch.Tensor:
    attack = make_attack(name, 0.1, iterations=3, seed=7)
    return attack(model, images.inputs, images.labels)


def test_attacks_in_threads_are_the_attacks_alone(cases: list[Case]) -> None:
    """They ask one model, which draws from torch's global generator and keeps states."""
    model = dense_net(sampling="step")
    images = Images(torch.rand(6, 1, 4, 4), torch.arange(6) % 3)
    names = ["pgd", "square", "apgd", "pgd", "fgsm", "square"]
    alone = [attacked(model, name, images) for name in names]
    before = torch.get_rng_state()
    calls = [partial(attacked, model, name, images) for name in names]
    assert all(map(torch.equal, in_threads(calls), alone))
    assert torch.equal(torch.get_rng_state(), before)


def test_attacks_on_programs_in_threads_are_the_attacks_alone(cases: list[Case]) -> None:
    case, attack = cases[2], Square(0.2, iterations=4)
    labels = torch.arange(6) % 3

    def found() -> torch.Tensor:
        return attack(ProgramModel(case.program, 3), case.inputs[:6], labels)

    alone = found()
    assert all(torch.equal(one, alone) for one in in_threads([found] * 3))


def test_checks_in_threads_are_the_checks_alone(cases: list[Case]) -> None:
    model, images = dense_net(), Images(torch.rand(8, 1, 4, 4), torch.arange(8) % 3)
    program = lower(to_nir(model, images.inputs))
    attack = PGD(0.1, iterations=2)

    def check() -> str:
        report = check_parity(model, program, images, trials=2, attacks=[attack], lava=False)
        return report.to_json() if hasattr(report, "to_json") else repr(report)

    def switched() -> str:
        return repr(ablate(model, program, images, trials=2))

    alone = check(), switched()
    before = torch.get_rng_state()
    assert in_threads([check, switched, check]) == [alone[0], alone[1], alone[0]]
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training


def test_trainings_in_threads_are_the_trainings_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    images = Images(torch.rand(32, 1, 8, 8), torch.arange(32) % 10)
    network = NetworkConfig(channels=(2, 2), time_steps=2)
    config = TrainingConfig(epochs=1, batch_size=8)

    def train() -> list[torch.Tensor]:
        model, _ = train_classifier(network.build, images, config)
        return list(model.state_dict().values())

    alone = train()
    path = tmp_path / "network.pt"
    save_checkpoint(path, train_classifier(network.build, images, config)[0], network, {})

    def load() -> list[torch.Tensor]:
        return list(load_checkpoint(path)[0].state_dict().values())

    before = torch.get_rng_state()
    for found in in_threads([train, load, train, load]):
        assert all(map(torch.equal, found, alone))
    assert torch.equal(torch.get_rng_state(), before)


def test_exports_and_counts_in_threads_are_those_alone() -> None:
    model, sample = dense_net(sampling="step"), torch.rand(4, 1, 4, 4)

    def exported() -> bytes:
        graph = to_nir(model, sample)
        return b"".join(
            getattr(node, "weight", sample.numpy()).tobytes() for node in graph.nodes.values()
        )

    def counted() -> str:
        with seeded(0):
            return repr(measure_model(model, [sample]))

    alone = exported(), counted()
    before = torch.get_rng_state()
    assert in_threads([exported, counted, exported, counted]) == [*alone, *alone]
    assert torch.equal(torch.get_rng_state(), before)
