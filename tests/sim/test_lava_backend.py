import gc
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch import nn

from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.program.program import Program
from stochi.sim import run
from stochi.sim.inputs import check_inputs
from stochi.sim.lava.runtime import LavaRunError
from stochi.sim.lava.session import LavaSession
from stochi.sim.recording import PROBES, Probes
from stochi.train import RandomTauLeaky, make_twin
from stochi.train.networks import RepeatSteps
from tests.conftest import conv_net, dense_net, run_once

pytestmark = pytest.mark.lava


def assert_same(program: Program, inputs: torch.Tensor, **options: int) -> None:
    engine = run(program, inputs, probes=PROBES, **options)
    lava = run(program, inputs, backend="lava", probes=PROBES, **options)
    assert sum(c.mismatches for c in compare_records(engine, lava)) == 0
    assert torch.equal(engine.logits, lava.logits)
    for spikes in engine.spikes.values():
        assert 0 < float(spikes.double().mean()) < 1


@pytest.mark.parametrize(
    "variant",
    [{}, {"input_gain": "mean", "bits": 3}, {"sampling": "forward"}, {"sampling": "fixed"}],
    ids=str,
)
def test_conv_net_has_the_engine_s_integers(variant: dict) -> None:
    net = conv_net(**variant)
    run_once(net, (2, 8, 8))
    images = torch.rand(5, 2, 8, 8)
    program = lower(to_nir(net, images[:1]))
    assert_same(program, images, seed=11, trial=3, first_sample=2)


def test_mean_tau_dense_net_has_the_engine_s_integers() -> None:
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)), noise="none")
    assert_same(program, torch.rand(5, 1, 4, 4))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)},
        {"kernel_size": (1, 3), "groups": 2},
        {"kernel_size": 4, "padding": "same", "bias": False},
    ],
    ids=str,
)
def test_convolutions_and_pooling_after_weights_have_the_engine_s_integers(options: dict) -> None:
    net = RepeatSteps(
        nn.Sequential(
            nn.Conv2d(2, 4, **options),
            nn.AvgPool2d(2, 1),
            RandomTauLeaky(threshold=0.1, init_hidden=True),
            nn.Flatten(),
            nn.LazyLinear(6),
            RandomTauLeaky(threshold=0.05, init_hidden=True),
        ),
        3,
    ).eval()
    images = torch.rand(4, 2, 7, 9)
    net(images)
    with torch.no_grad():
        net.network[0].weight *= 2
        net.network[4].weight *= 3
    program = lower(to_nir(net, images[:1]))
    assert_same(program, images)
    twin = record_twin(make_twin(net, images[:1]), program, images, Draws())
    compared = compare_records(twin, run(program, images, probes=PROBES))
    assert sum(c.mismatches for c in compared) == 0


def test_event_frames_have_the_engine_s_integers() -> None:
    rng = np.random.default_rng(0)
    n = np.ones(5)
    graph = nir.NIRGraph.from_list(
        nir.Affine(rng.standard_normal((5, 6)), 0.1 * rng.standard_normal(5)),
        nir.LIF(2e-3 * n, n, 0 * n, 0.4 * n),
    )
    program = lower(graph, dt=1e-3, time_steps=6, events=True)
    assert_same(program, (torch.rand(6, 4, 6) > 0.5).float())


@pytest.mark.slow
def test_a_run_leaves_nothing_behind() -> None:
    """No process, no Lava object in memory, no open file, no handler on a user's logger."""
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    images = torch.rand(1, 1, 4, 4)

    def left() -> tuple[int, int, int]:
        gc.collect()
        kinds = ("ChipLayer", "BatchSource", "Runtime", "SystemProcess", "SharedMemory")
        objects = [o for o in gc.get_objects() if type(o).__name__ in kinds]
        return len(objects), len(os.listdir("/proc/self/fd")), len(logging.getLogger().handlers)

    run(program, images, backend="lava")
    before = left()
    for _ in range(3):
        run(program, images, backend="lava")
    assert left() == before
    assert not [p for p in multiprocessing.active_children() if "SystemProcess" in p.name]


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stochi.sim.lava.network.SIDE_BY_SIDE_NEURONS", 8 * 12)
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    images, seen = torch.rand(20, 1, 4, 4), []
    record = run(
        program, images, backend="lava", progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(8, 20), (16, 20), (20, 20)]
    assert torch.equal(record.logits, run(program, images).logits)


def test_a_session_takes_many_batches() -> None:
    program = lower(to_nir(conv_net(), torch.rand(1, 2, 8, 8)))
    with LavaSession(program, 3) as session:
        for trial, batch in enumerate((4, 1, 3)):
            images = torch.rand(batch, 2, 8, 8)
            draws = Draws(seed=4, trial=trial, first_sample=10 * trial)
            lava = session.run(check_inputs(program, images), draws, Probes(PROBES))
            options = {"seed": 4, "trial": trial, "first_sample": 10 * trial}
            engine = run(program, images, probes=PROBES, **options)
            assert sum(c.mismatches for c in compare_records(engine, lava)) == 0
            with pytest.raises(InputError):
                check_inputs(program, images[:, :1])


def test_a_dead_process_is_an_error_and_ends_the_others() -> None:
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    with pytest.raises(LavaRunError), LavaSession(program, 2) as session:
        actors = session.runtime.process.runtime._messaging_infrastructure.actors
        actors[0].kill()
        session.run(torch.rand(1, 2, 1, 4, 4), Draws())
    assert not [p for p in multiprocessing.active_children() if "SystemProcess" in p.name]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_a_run_ends_so_do_its_processes(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C reaches the whole group with Lava's processes, other signals only the parent."""
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    program.save(tmp_path / "p.program")
    code = (
        "import sys, torch, stochi;"
        f"program = stochi.deploy.Program.load({str(tmp_path / 'p.program')!r});"
        "stochi.sim.run(program, torch.rand(50000, 1, 4, 4), backend='lava',"
        " progress=lambda done, total: print(done, flush=True))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None and int(child.stdout.readline()) > 0
    if how == signal.SIGINT:
        os.killpg(child.pid, how)
    else:
        os.kill(child.pid, how)
    assert child.wait(timeout=30) != 0
    assert group_ends(child.pid, seconds=10)


def group_ends(group: int, seconds: float) -> bool:
    """Return whether a process group becomes empty within a time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_a_session_refuses_draws_of_another_random_source() -> None:
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)), random_source="lfsr")
    shown = check_inputs(program, torch.rand(2, 1, 4, 4))
    with LavaSession(program, 2) as session, pytest.raises(InputError, match="pass Draws"):
        session.run(shown, Draws())
