"""What ``stochi parity`` and ``stochi attack`` compare, from the words of the command line."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from stochi.commands.console import Output
from stochi.commands.data import Taken, check_kind, load_network, load_test, read_parts, samples_of
from stochi.commands.fitted_noise import (
    FitInputs,
    Reading,
    check_fit_source,
    fit_noise,
    is_fitted,
    refuse_fit_options,
)
from stochi.commands.options import check_there, refuse
from stochi.commands.own_inputs import LOWER_FOR_EVENTS, hint_at_events, read_labelled
from stochi.commands.own_model import is_spec, load_own_model
from stochi.commands.recorded import recorded_warnings
from stochi.commands.stopping import advised
from stochi.errors import InputError
from stochi.files import HDF5

if TYPE_CHECKING:
    import nir
    from torch import nn

    from stochi.attacks import Attack
    from stochi.data.batches import Labelled
    from stochi.data.samples import Samples
    from stochi.parity import ParityReport
    from stochi.program import Program
    from stochi.train import NetworkConfig

CHECKPOINT, CODE, GRAPH = "checkpoint", "code", "graph"
FITTING = ("calibration", "calibration_images")
LOWERING = ("chip", "noise", "events", *FITTING)
FEW = 9
"""Number of inputs that a network is exported and lowered with."""


@dataclass(frozen=True)
class Compared:
    """What a command compares.

    Attributes:
        model: the float model.
        program: its Program.
        lowered_from: the tuned network that the Program was lowered from, if there is one.
        test: labelled inputs that fit them.
    """

    model: "nn.Module"
    program: "Program"
    lowered_from: "nn.Module | None"
    test: "Labelled"

    @property
    def sides(self) -> "tuple[nn.Module, Program, Labelled]":
        """What ``stochi.parity.check_parity`` and ``ablate`` take first."""
        return self.model, self.program, self.test

    @property
    def regression(self) -> bool:
        """Whether the labels are numbers to be met, not classes."""
        return bool(self.test.labels.is_floating_point())


@dataclass(frozen=True)
class Asked:
    """What the user names; each is as the option says.

    Attributes:
        program: None to lower the model here, by chip, noise and events, with noise that is fitted
            to calibration, or to training images of data.
        images: number of inputs, from the front; None: all.
    """

    model: str
    program: Path | None
    weights: Path | None
    lowered_from: Path | None
    inputs: Path | None
    labels: Path | None
    data: str
    data_dir: Path | None
    images: int | None
    dt: float | None
    convention: str | None
    reset: str | None
    chip: str = "loihi2"
    noise: str = "decay"
    events: bool = False
    calibration: Path | None = None
    calibration_images: int | None = None

    @property
    def shown(self) -> str:
        """What the inputs are called."""
        return samples_of(self.data) if self.inputs is None else f"{self.inputs}"

    def files(self) -> tuple[Path | None, ...]:
        """Return the files that are read, which no output may replace."""
        model = Path(self.model.rpartition(":")[0] if is_spec(self.model) else self.model)
        given = (self.program, self.weights, self.lowered_from, self.inputs, self.labels)
        return (model, *given, self.calibration)


def kind_of(source: str) -> str:
    """Return what a word of the command line names, by its form and the file's first bytes.

    Raises:
        InputError: it is a Python file without a name in it.
    """
    if is_spec(source):
        return CODE
    path = Path(source)
    if path.suffix == ".py":
        raise InputError(f"{source}: add the name of what makes the network, like {source}:Net")
    return GRAPH if is_graph(path) else CHECKPOINT


def is_graph(path: Path) -> bool:
    """Return whether a file is a NIR graph, by its name, or HDF5 as NIR graphs are."""
    if path.suffix == ".nir":
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(HDF5)) == HDF5


def load_compared(context: typer.Context, asked: Asked, output: Output) -> Compared:
    """Load the float model, its Program, the tuned network if there is one, and labelled inputs.

    What the code of a user's network prints goes to stderr.

    Raises:
        StochiError: a file is missing, foreign or damaged, an option has no effect here, or the
            inputs do not fit the network.
    """
    kind = kind_of(asked.model)
    _check_options(context, asked, kind)
    check_there(*asked.files()[1:])
    with recorded_warnings() as caught:
        compared = _load(context, asked, kind, output)
    for message in caught:
        output.warning(message)
    return compared


def compare_sides(
    output: Output,
    compared: Compared,
    attacks: "list[Attack]",
    budgets: list[float],
    options: Mapping[str, Any],
) -> "ParityReport":
    """Compare the sides; ``options`` are those of ``stochi.parity.check_parity``."""
    from stochi.parity import check_parity

    keep: Path | None = options["keep"]
    if keep is not None and keep.is_dir():
        output.progress(f"Going on with the attacked images in {keep}")
    with advised(_advice(keep)):
        return check_parity(
            *compared.sides,
            lowered_from=compared.lowered_from,
            attacks=attacks,
            epsilons=budgets if any(attack.batch_dim == 0 for attack in attacks) else None,
            progress=output.progress,
            **options,
        )


def _advice(keep: Path | None) -> str:
    """Return what a stopped check says of going on."""
    if keep is None:
        return "stopped; nothing is kept if the report goes into a pipe or a device"
    return f"stopped; the same command goes on with what {keep} holds, if anything"


def _check_options(context: typer.Context, asked: Asked, kind: str) -> None:
    """Raise InputError for options that have no effect."""
    if kind != CODE:
        refuse(context, ("weights",), "it is for the network of FILE.py:NAME")
    if kind != GRAPH:
        refuse(context, ("convention", "reset"), "it is for a NIR graph")
        if asked.program is not None:
            refuse(context, ("dt",), "the Program has its time step")
    if asked.program is not None:
        refuse(context, LOWERING, "it is for a model that is lowered here, and PROGRAM was given")
    else:
        refuse(context, ("lowered_from",), "it belongs to a PROGRAM")
        if is_fitted(asked.noise):
            check_fit_source(asked.noise, asked.calibration, asked.inputs, asked.events, asked.data)
        else:
            refuse_fit_options(context, FITTING)
    if asked.inputs is not None:
        refuse(context, ("data", "data_dir"), "--inputs was given")
    else:
        refuse(context, ("labels",), "it belongs to --inputs")


def _load(context: typer.Context, asked: Asked, kind: str, output: Output) -> Compared:
    from stochi.data.batches import in_memory
    from stochi.program import Program

    program = None if asked.program is None else Program.load(asked.program)
    network: NetworkConfig | None = None
    graph: nir.NIRGraph | None = None
    if kind == CODE:
        output.leave_stdout(context)
        model = load_own_model(asked.model, asked.weights)
    elif kind == GRAPH:
        model, graph = _read_graph_model(asked)
    else:
        model, network = load_network(Path(asked.model))
    events = _takes_events(asked, network)
    test = _read_test(asked, _find_taken(asked, network, program, graph, events), program)
    if program is None:
        if graph is None:
            from stochi.export.sample_order import export_samples

            dt = {} if asked.dt is None else {"dt": asked.dt}
            read, graph = test, export_samples(model, in_memory(test.up_to(FEW)), **dt)
            test = _read_by_graph(asked, graph, test, events)
            if test is not read:
                graph = export_samples(model, in_memory(test.up_to(FEW)), **dt)
        few = in_memory(test.up_to(FEW))
        tested = None if asked.inputs is None else in_memory(test)
        program = _lower(asked, graph, few, tested, events, output)
    if asked.inputs is not None:
        own = in_memory(test)
        _check_own(asked.inputs, program, own)
        way_out = "give --events" if asked.program is None else LOWER_FOR_EVENTS
        hint_at_events(program, own.inputs, output, way_out)
    origin = None if asked.lowered_from is None else load_network(asked.lowered_from)[0]
    return Compared(model, program, origin, test)


def _read_by_graph(
    asked: Asked, graph: "nir.NIRGraph", test: "Labelled", events: bool
) -> "Labelled":
    """Read own inputs again if the model's graph tells that they lie otherwise."""
    from stochi.data.batches import in_memory

    if asked.inputs is None:
        return test
    taken = _find_taken(asked, None, None, graph, events)
    assert taken is not None
    own = in_memory(test)
    fits = own.inputs.shape[own.batch_dim + 1 :] == taken.shape
    return test if fits else _read_test(asked, taken, None)


def _takes_events(asked: Asked, network: "NetworkConfig | None") -> bool:
    """Return whether a model that is lowered here takes events: it says so, or its data do."""
    from stochi.data.catalogue import find_data_set

    if asked.events or (network is not None and network.events):
        return True
    return network is None and asked.inputs is None and find_data_set(asked.data).events


def _find_taken(
    asked: Asked,
    network: "NetworkConfig | None",
    program: "Program | None",
    graph: "nir.NIRGraph | None",
    events: bool,
) -> Taken | None:
    """Return what the model takes; None if nothing tells."""
    if network is not None:
        return Taken.by_network(asked.model, network)
    if program is not None:
        return Taken.by_program(asked.model, program)
    if graph is None:
        return None
    steps = graph.metadata.get("steps")
    return Taken(asked.model, *_sizes(graph, asked.dt), events, steps and int(steps))


def _check_own(inputs: Path, program: "Program", test: "Samples") -> None:
    """Raise InputError, with the file's name, if inputs or labels do not fit the Program."""
    from stochi.sim.labelled import check_data

    try:
        check_data(program, test)
    except InputError as error:
        raise InputError(f"{inputs}: {error}") from error


def _read_graph_model(asked: Asked) -> "tuple[nn.Module, nir.NIRGraph]":
    from stochi.deploy import read_graph, resolve_conventions
    from stochi.export import from_nir

    graph = resolve_conventions(
        read_graph(asked.model), dt=asked.dt, convention=asked.convention, reset=asked.reset
    )
    return from_nir(graph, dt=asked.dt).eval(), graph


def _sizes(graph: "nir.NIRGraph", dt: float | None) -> tuple[tuple[int, ...], int]:
    """Return the shape of a graph's inputs and the number of its outputs."""
    from stochi.deploy.graph.wiring import wire
    from stochi.deploy.lowering.network import find_dt

    wiring = wire(graph, find_dt(graph, dt))
    shapes = {layer.name: layer.shape for layer in wiring.layers}
    return wiring.input_shape, math.prod(shapes[wiring.output])


def _lower(
    asked: Asked,
    graph: "nir.NIRGraph",
    few: "Samples",
    tested: "Samples | None",
    events: bool,
    output: Output,
) -> "Program":
    """Lower a graph, with noise that is fitted to inputs if that was asked for.

    Args:
        few: a few test inputs; if the graph does not say for how many time steps, streams do.
        tested: the user's own test inputs.
    """
    from stochi.deploy import lower

    options: Reading = {"dt": asked.dt, "events": events}
    if few.batch_dim == 1 and "steps" not in graph.metadata:
        options["time_steps"] = len(few.inputs)
    if not is_fitted(asked.noise):
        return lower(graph, asked.chip, asked.noise, **options)
    source = FitInputs(asked.calibration, asked.data, asked.data_dir, asked.calibration_images)
    made = fit_noise(graph, source, asked.chip, asked.noise, output.progress, options, tested)
    return made.program


def _read_test(asked: Asked, taken: Taken | None, program: "Program | None") -> "Labelled":
    """Read the user's own inputs, or a data set, checked as far as it is known what fits."""
    from stochi.data.catalogue import find_data_set

    if asked.inputs is not None:
        shape = None if taken is None else taken.shape
        return read_labelled(asked.inputs, asked.labels, asked.images, shape)
    if program is not None and asked.program is not None:
        check_kind(find_data_set(asked.data), Taken.by_program(asked.program, program))
    if taken is not None:
        test = load_test(asked.data, asked.data_dir, taken)
    else:
        test = read_parts(find_data_set(asked.data), asked.data_dir)[1]
    return test if asked.images is None else test.first(asked.images)
