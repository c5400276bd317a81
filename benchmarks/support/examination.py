"""What becomes of a network on its way to the chip, found by sending it there."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import nir
import torch

from stochi.deploy import lower
from stochi.errors import StochiError
from stochi.export import from_nir
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.program.program import Program
from stochi.sim import Record, run
from stochi.sim.engine.backend import _run_torch
from stochi.sim.inputs import check_inputs
from stochi.sim.recording import PROBES, Probes, Recording, ignore_progress
from stochi.train import twin_of

SAMPLES = 4
YES, NO, EXACT, NOTHING = "yes", "no", "exact", "–"


@dataclass(frozen=True)
class Case:
    """A network, and what it is shown.

    Attributes:
        group: the table that it stands in.
        what: its row.
        build: makes its graph; raises a StochiError if there is none.
        shape: shape of an input, without time steps and batch.
        events: whether inputs are frames of 0 and 1; else images in [0, 1].
        given: whether the graph is given, so that nothing is exported.
    """

    group: str
    what: str
    build: Callable[[], nir.NIRGraph]
    shape: tuple[int, ...]
    events: bool = False
    given: bool = False


@dataclass(frozen=True)
class Row:
    """A row of the table; columns in the order of the way to the chip.

    Attributes:
        note: why the way ends, in the words of the error.
    """

    group: str
    what: str
    exported: str = NO
    lowered: str = NOTHING
    torch_engine: str = NOTHING
    twin: str = NOTHING
    lava: str = NOTHING
    note: str = ""


def examine(case: Case, lava: bool, device: str = "cpu") -> Row:
    """Export a network, lower it, and compare engine, torch engine, twin and Lava.

    "exact" stands for equal spikes and membranes of all layers, at every time step.

    Args:
        case: the network.
        lava: whether to run Lava, too.
        device: where the torch engine and the twin run.
    """
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            graph = case.build()
        except StochiError as error:
            return Row(case.group, case.what, note=_one_line(error))
        try:
            program = lower(graph, events=case.events)
        except StochiError as error:
            return Row(case.group, case.what, _exported(case), NO, note=_one_line(error))
        inputs = torch.rand(SAMPLES, *case.shape)
        if case.events:
            inputs = (torch.rand(program.target.time_steps, SAMPLES, *case.shape) > 0.5).float()
        return _compared(case, graph, program, inputs, lava, torch.device(device))


def _compared(
    case: Case,
    graph: nir.NIRGraph,
    program: Program,
    inputs: torch.Tensor,
    lava: bool,
    device: torch.device,
) -> Row:
    engine = run(program, inputs, seed=3, probes=PROBES)
    sample = inputs[:, :1] if case.events else inputs[:1]
    twin, note = NO, ""
    try:
        model = twin_of(program, from_nir(graph), sample).to(device)
        twin = verdict(engine, record_twin(model, program, inputs, Draws(3)))
    except StochiError as error:
        note = _one_line(error)
    found = Row(case.group, case.what, _exported(case), YES, twin=twin, note=note)
    found = replace(found, torch_engine=verdict(engine, on_torch(program, inputs, device)))
    if not lava:
        return found
    return replace(found, lava=verdict(engine, run(program, inputs, "lava", seed=3, probes=PROBES)))


def on_torch(program: Program, inputs: torch.Tensor, device: torch.device) -> Record:
    """Run a Program on the engine that GPUs run."""
    shown = check_inputs(program, inputs)
    recording = Recording(program, shown.shape[1], Probes(PROBES))
    draws = Draws(3, source=program.target.random_source)
    _run_torch(program, shown, draws, recording, device, ignore_progress)
    return recording.finish()


def verdict(ours: Record, theirs: Record) -> str:
    """Return "exact", the number of mismatches, or the layers that never spiked."""
    quiet = [name for name, spikes in ours.spikes.items() if not bool(spikes.any())]
    if quiet:
        return f"no spikes in {', '.join(quiet)}"
    different = sum(c.mismatches for c in compare_records(ours, theirs))
    return f"mismatches: {different}" if different else EXACT


def _exported(case: Case) -> str:
    return NOTHING if case.given else YES


def _one_line(error: Exception) -> str:
    """Return an error's problems in one line."""
    first, *listed = str(error).splitlines()
    return "; ".join(line.removeprefix("- ") for line in listed) or first
