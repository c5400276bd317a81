"""Noise that is fitted to training inputs, for every command that lowers a graph."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import typer

from stochi.commands.data import inputs_of, read_parts, samples_of
from stochi.commands.options import was_given
from stochi.commands.own_inputs import read_inputs, warn_of_file
from stochi.errors import InputError

if TYPE_CHECKING:
    import nir
    import torch

    from stochi.data.samples import Samples
    from stochi.deploy import LayerFit
    from stochi.program import Program

FIT_IMAGES = 256
"""Number of inputs for a fit, unless the user gives one."""


class Reading(TypedDict, total=False):
    """How a graph is lowered, beside chip and noise; as for ``stochi.deploy.lower``."""

    dt: float | None
    time_steps: int | None
    events: bool
    random_source: str


@dataclass(frozen=True)
class FitInputs:
    """The inputs that noise is fitted to, as the options say.

    Attributes:
        file: the user's own inputs; None: the training part of a data set.
        data, data_dir: that data set.
        count: number of inputs, from the front; None: 256, or all of a file that holds fewer.
    """

    file: Path | None
    data: str
    data_dir: Path | None
    count: int | None

    @property
    def name(self) -> str:
        """What they are called in a sentence."""
        if self.file is not None:
            return f"inputs of {self.file}"
        return samples_of(self.data, kind="training")

    def named(self, count: int) -> str:
        """Return what so many of them are called."""
        if self.file is not None:
            return inputs_of(self.file, count)
        return samples_of(self.data, count, "training")

    def read(self, shape: tuple[int, ...], time_steps: int) -> "torch.Tensor":
        """Read them: (batch, *shape), or from a file also (time steps, batch, *shape).

        Args:
            shape: shape of an input of the network. Inputs of another shape are returned whole.
            time_steps: those of the network's samples.

        Raises:
            InputError: the file or the data set cannot be read, holds fewer inputs, or the file's
                inputs have other time steps.
        """
        if self.file is None:
            return self._read_set(shape, time_steps)
        shown = read_inputs(self.file)
        axis = shown.dim() - len(shape) - 1
        if axis not in (0, 1) or tuple(shown.shape[axis + 1 :]) != shape:
            return shown  # the fit says what it takes
        if axis == 1 and len(shown) != time_steps == shown.shape[1]:
            raise InputError(
                f"{self.file}: its inputs have shape {tuple(shown.shape)}, the batch before the"
                f" {time_steps} time steps; a stream is (time steps, batch, *shape): save"
                " np.swapaxes(inputs, 0, 1)"
            )
        if axis == 1 and len(shown) != time_steps:
            raise InputError(
                f"{self.file}: its inputs have {len(shown)} time steps, the network's samples have"
                f" {time_steps}; give as many"
            )
        warn_of_file(self.file, shown, axis == 1)
        held = shown.shape[axis]
        count = min(FIT_IMAGES, held) if self.count is None else self.count
        if not 1 <= count <= held:
            raise InputError(f"{self.file}: {count} inputs were asked for; ask for 1 to {held}")
        return shown.narrow(axis, 0, count)

    def _read_set(self, shape: tuple[int, ...], time_steps: int) -> "torch.Tensor":
        from stochi.data.batches import in_memory
        from stochi.data.catalogue import find_data_set

        chosen = find_data_set(self.data)
        if chosen.shape != shape:
            theirs, ours = ("×".join(map(str, sizes)) for sizes in (chosen.shape, shape))
            raise InputError(
                f"the noise cannot be fitted to {samples_of(self.data)}, which have {theirs}: the"
                f" network takes {ours}; give another set with --data, or your own inputs with"
                " --calibration FILE"
            )
        count = FIT_IMAGES if self.count is None else self.count
        training, _ = read_parts(chosen, self.data_dir, time_steps)
        return in_memory(training.first(count)).inputs


@dataclass(frozen=True)
class FittedProgram:
    """A Program with fitted noise.

    Attributes:
        program: the Program.
        fits: the fit of each layer.
        title: what it was fitted to.
    """

    program: "Program"
    fits: "tuple[LayerFit, ...]"
    title: str


def is_fitted(noise: str) -> bool:
    """Return whether a noise is one that is fitted to inputs."""
    from stochi.program.target import NOISE_TARGETS

    return noise in NOISE_TARGETS


def refuse_fit_options(context: typer.Context, names: Iterable[str], but: str = "") -> None:
    """Raise InputError for the first of these options that was given, since nothing is fitted.

    Args:
        names: names of parameters.
        but: what else stands against a fit, after "--noise membrane or current".
    """
    for name in names:
        if was_given(context, name):
            raise InputError(
                f"--{name.replace('_', '-')} is for noise that is fitted to inputs (--noise"
                f" membrane or current{but}); leave it out"
            )


def check_fit_source(
    noise: str, calibration: Path | None, inputs: Path | None, events: bool, data: str
) -> None:
    """Raise InputError unless fitted noise has inputs that it can be fitted to.

    Args:
        calibration: file of inputs for the fit; None: those of a data set.
        inputs: file of the user's own test inputs.
        events: whether the user says that the network takes events.
        data: name of the data set.
    """
    from stochi.data.catalogue import find_data_set

    if calibration is None:
        if inputs is not None:
            raise InputError(
                f"--noise {noise} is fitted to training inputs, not to those of --inputs that it is"
                " tested on; give others of their kind with --calibration FILE (no labels needed)"
            )
        if events and not find_data_set(data).events:
            raise InputError(
                f"noise {noise!r} is fitted to what the network will see, here events, and {data}"
                " consists of images; give a set of events with --data, or your own with"
                " --calibration FILE"
            )
    elif inputs is not None and _is_same_file(calibration, inputs):
        raise InputError(
            f"--calibration {calibration} is the file of --inputs; noise that is fitted to test"
            " inputs looks better than it is, so give a file with other inputs"
        )


def _is_same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def fit_noise(
    graph: "nir.NIRGraph",
    source: FitInputs,
    chip: str,
    noise: str,
    progress: Callable[[str], None],
    options: Reading,
    tested: "Samples | None" = None,
) -> FittedProgram:
    """Lower a graph with noise that is fitted to inputs.

    Args:
        graph: a graph whose conventions are resolved.
        source: what the noise is fitted to.
        chip, noise, options: as for ``stochi.deploy.calibrate``.
        progress: function that is called with a line for every layer.
        tested: the user's own test inputs.

    Raises:
        StochiError: the inputs cannot be read or do not fit the graph, or as for
            ``stochi.deploy.calibrate``.

    Warns:
        CalibrationWarning: as for ``stochi.deploy.calibrate``; there is nothing to fit, or inputs
            of the file are also test inputs.
    """
    from stochi.deploy import CalibrationWarning, calibrate
    from stochi.sim.inputs import InOrder

    shown, count = read_for(graph, source, chip, noise, options)
    progress(f"Fitting the noise to {source.named(count)}")
    try:
        program, fits = calibrate(graph, InOrder(shown), chip, noise, progress=progress, **options)
    except InputError as error:  # the options are checked above, so it is about the inputs
        raise InputError(f"{source.file or source.name}: {error}") from error
    shared = 0 if tested is None or source.file is None else count_shared(shown, tested)
    for true, message in (
        (
            not fits,
            f"nothing in the network draws its τ, so {noise!r} adds no noise; every noise gives the"
            " same integers",
        ),
        (
            shared,
            f"{shared} of the {count} {source.name}, which the noise is fitted to, are also test"
            " inputs; give others with --calibration",
        ),
    ):
        if true:
            warnings.warn(message, CalibrationWarning, stacklevel=2)
    return FittedProgram(program, fits, f"Fitted to {source.named(count)}")


def read_for(
    graph: "nir.NIRGraph", source: FitInputs, chip: str, noise: str, options: Reading
) -> "tuple[torch.Tensor, int]":
    """Read inputs for a graph's calibration, in the order of :meth:`FitInputs.read`; count them."""
    from stochi.deploy.graph.wiring import wire
    from stochi.deploy.lowering.network import make_target

    target = make_target(graph, chip, noise, **options)
    shape = wire(graph, target.dt).input_shape
    shown = source.read(shape, target.time_steps)
    return shown, shown.shape[max(shown.dim() - len(shape) - 1, 0)]


def count_shared(shown: "torch.Tensor", tested: "Samples") -> int:
    """Count the inputs of the same form that are also among the test inputs."""
    dim = tested.batch_dim
    one, other = shown.movedim(dim, 0), tested.inputs.movedim(dim, 0)
    if one.shape[1:] != other.shape[1:]:
        return 0
    known = {sample.numpy().tobytes() for sample in other}
    return sum(sample.numpy().tobytes() in known for sample in one)
