"""Two processes that train one network together: the same numbers as one, within rounding."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stochi.errors import InputError
from stochi.train.parallel import ProcessError, Processes, join_processes
from stochi.train.synchronization import synchronized_norms
from stochi.train.training import train_classifier
from tests.kills.scene import ROOT
from tests.train.trainings import TRAININGS, outcome

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="torch without gloo"
)
EXACT = ("plain", "normed", "gradients of gradients", "a single sample", "twin")
IN_PARTS = ("parts", "parts of one")
DRAWING = ("drawn", "attacked", "drawn once", "orthogonal", "crafted")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def in_two(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.run(
        [*TORCHRUN, "-m", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def found_by_two(folder: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return what each of two processes has found."""
    done = in_two("tests.train.trainings", str(folder), *names, folder=folder)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Warning" not in done.stderr
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return found_by_two(tmp_path_factory.mktemp("two"), (*EXACT, *IN_PARTS))


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return found_by_two(tmp_path_factory.mktemp("drawing"), DRAWING)


def difference(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    apart = [(ours[name].double() - theirs[name].double()).abs() for name in ours]
    return max(float(each.max()) for each in apart if each.numel())


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_two_processes_train_as_one_within_rounding(two: list[dict[str, Any]], name: str) -> None:
    alone, together = outcome(name), two[0][name]
    assert together["losses"] == pytest.approx(alone["losses"], rel=2e-5)
    assert together["accuracies"] == alone["accuracies"]
    assert difference(together["weights"], alone["weights"]) < 1e-4
    if name not in ("twin", "a single sample"):  # which learn slowly at first
        assert alone["losses"][-1] < 0.97 * alone["losses"][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_PARTS)
def test_parts_of_each_process_s_share_add_up(two: list[dict[str, Any]], name: str) -> None:
    whole = TRAININGS[name]()
    whole = replace(whole, config=replace(whole.config, micro_batch=None))
    _, history = whole.run()
    assert two[0][name]["losses"] == pytest.approx([e.loss for e in history], rel=2e-5)


def have_the_same_bits(first: dict[str, Any], second: dict[str, Any]) -> bool:
    weights = first["weights"], second["weights"]
    same = all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    return same and all(first[name] == second[name] for name in ("losses", "accuracies"))


@pytest.mark.slow
@pytest.mark.parametrize("name", (*EXACT, *IN_PARTS))
def test_all_processes_have_the_same_bits(two: list[dict[str, Any]], name: str) -> None:
    assert have_the_same_bits(two[0][name], two[1][name])


@pytest.mark.slow
def test_each_process_draws_for_itself(two: list[dict[str, Any]]) -> None:
    assert two[0]["draw"] != two[1]["draw"]
    assert two[0]["kept"] and two[1]["kept"]


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWING)
def test_networks_that_draw_learn_as_fast_in_two_processes(
    drawing: list[dict[str, Any]], name: str
) -> None:
    """The same start and order of samples, other draws: curves are close, not the same."""
    assert have_the_same_bits(drawing[0][name], drawing[1][name])
    alone, together = outcome(name)["losses"], drawing[0][name]["losses"]
    assert alone != together
    assert together == pytest.approx(alone, rel=0.1)
    assert max(together[-1], alone[-1]) < min(together[0], alone[0])


@pytest.mark.slow
def test_what_is_drawn_once_is_drawn_alike(drawing: list[dict[str, Any]]) -> None:
    decays = [each["drawn once"]["weights"]["network.lif1.fixed_decay"] for each in drawing]
    assert decays[0].numel() > 0 and torch.equal(*decays)


def test_a_synchronized_norm_is_torch_s() -> None:
    """In a group of this process alone, sums are what they were."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        is_torch_s_norm()
    finally:
        dist.destroy_process_group()


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    batch=st.integers(2, 6),
    channels=st.integers(1, 4),
    affine=st.booleans(),
    running=st.booleans(),
    momentum=st.sampled_from([None, 0.1, 0.9]),
    seed=st.integers(0, 99),
)
def is_torch_s_norm(
    shape: list[int],
    batch: int,
    channels: int,
    affine: bool,
    running: bool,
    momentum: float | None,
    seed: int,
) -> None:
    group = dist.group.WORLD
    assert group is not None
    kind = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[len(shape) - 1]
    options = {"affine": affine, "track_running_stats": running, "momentum": momentum}
    ours, theirs = (kind(channels, **options).double() for _ in range(2))
    torch.manual_seed(seed)
    for _ in range(2):
        values = 3 + torch.randn(batch, channels, *shape, dtype=torch.double)
        weights = torch.randn_like(values)
        grads = []
        for norm in (ours, theirs):
            shown = values.clone().requires_grad_(True)
            if norm is ours:
                with synchronized_norms(norm, group):
                    found = norm(shown)
            else:
                found = norm(shown)
            (found * weights).sum().backward()
            grads.append((found.detach(), shown.grad))
        torch.testing.assert_close(grads[0], grads[1])
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))
    torch.testing.assert_close(
        [p.grad for p in ours.parameters()], [p.grad for p in theirs.parameters()]
    )
    assert "forward" not in vars(ours)
    with synchronized_norms(ours.eval(), group):
        torch.testing.assert_close(ours(values), theirs.eval()(values))


@given(samples=st.integers(1, 50), count=st.integers(1, 6), largest=st.none() | st.integers(1, 9))
def test_shares_are_each_sample_once_in_equally_many_parts(
    samples: int, count: int, largest: int | None
) -> None:
    shares = [Processes(rank, count).parts(samples, largest) for rank in range(count)]
    assert len({len(parts) for parts in shares}) == 1
    assert all(len(part) for parts in shares for part in parts)
    if largest is not None:
        assert max(len(part) for parts in shares for part in parts) <= largest + (count > 1)
    numbers = [number for parts in shares for part in parts for number in part.tolist()]
    assert numbers == list(range(samples)) * (1 if count <= samples else count)
    weights = [
        Processes(rank, count).weight(len(part), samples)
        for rank, parts in enumerate(shares)
        for part in parts
    ]
    assert sum(weights) / count == pytest.approx(1)


def test_without_torchrun_it_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_processes() as processes:
        assert processes == Processes() and processes.is_first
    assert not dist.is_initialized()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two'"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE is '0'"),
        ({"WORLD_SIZE": "2"}, "RANK is ''"),
        ({"WORLD_SIZE": "2", "RANK": "-1"}, "RANK is '-1'"),
        ({"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "x", "MASTER_PORT": "1"}, "RANK is '2'"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_PORT": "1"}, "MASTER_ADDR is ''"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost"}, "MASTER_PORT is ''"),
    ],
)
def test_damaged_variables_of_torchrun_are_one_line(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=message), join_processes():
        pass
    assert not dist.is_initialized()


def test_a_batch_has_a_sample_for_each_process() -> None:
    small = TRAININGS["plain"]()
    config = replace(small.config, batch_size=1)
    with pytest.raises(InputError, match="batch_size is 1, and 2 processes share"):
        train_classifier(small.build, small.samples, config, processes=Processes(0, 2))


def test_an_error_of_gloo_is_told_as_what_it_means(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed by peer")

    for name, value in {
        "WORLD_SIZE": "2",
        "RANK": "1",
        "MASTER_ADDR": "x",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(dist, "init_process_group", lost)
    with (
        pytest.raises(ProcessError, match="process 1 of 2: another one has ended"),
        join_processes(),
    ):
        pass
