"""Fit additive noise to the effect of drawn decays, layer after layer, on data.

The reference is the same graph with its decays drawn from the chip's tables, which is exact. A
layer's stand-in has three numbers: the amplitude of its noise, the factor of its thresholds, and
the scale of its weights, which follows from the amplitude because the generator has powers of two
only. For every amplitude that is tried, the thresholds are set so that the layer spikes as often as
the reference. The best amplitude is the one whose spikes give the following layers an input nearest
to the reference's: the same mean for every image and neuron, and the same variance over trials.
The divergence of two normal distributions weighs the two against each other.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import nir
import torch
from scipy import optimize

from stochi.arguments import check_arguments
from stochi.batch_memory import Taken, check_step
from stochi.deploy.graph.conventions import resolve_conventions
from stochi.deploy.graph.layers import RealNetwork, cut_into_layers
from stochi.deploy.lowering.network import (
    lower_network,
    lower_network_like,
    make_target,
    with_stand_in,
)
from stochi.deploy.lowering.stand_in import CalibrationWarning, StandIn, make_stand_in
from stochi.deploy.ranges import warn_of_ranges
from stochi.deploy.spike_counts import TRIALS, observe, observer, up_to
from stochi.errors import InputError, LoweringError, ProgramError
from stochi.hardware.fixed_point import ALIGN_SHIFT, DECAY_UNITY, THRESHOLD_MANTISSA_MAX
from stochi.plain_text import counted, signed
from stochi.program.layers import INPUT, Layer
from stochi.program.program import Program
from stochi.program.target import NOISE_TARGETS, Target
from stochi.sim.backends import run
from stochi.sim.engine.layer_step import RunningLayer, synaptic_sums
from stochi.sim.engine.torch_engine import frames_by_step
from stochi.sim.inputs import Given, InOrder, check_inputs, inputs_in_order, to_frames
from stochi.time_left import TimeLeft, in_words

FIT_SEED, REFERENCE_SEED, CHECK_SEED = (2**31 + i for i in (1, 2, 3))
RATE_MARGIN = 0.03
LARGEST_FACTOR = 4.0
"""Largest factor by which thresholds are raised or lowered."""
MOST_HALVINGS = 8
"""Largest number of halvings of a layer's scale that make room for noise."""
METHODS = ("behaviour", "moments")
_RECORD = 5 + 2 * TRIALS
"""Bytes for each neuron, sample and time step: a spike and a membrane, and twice the spikes of all
trials."""


@dataclass(frozen=True)
class LayerFit:
    """The fit of one layer, and the errors that remain with draws that the fit did not see.

    Attributes:
        layer: the layer's name.
        stand_in: what was fitted.
        amplitude: the noise is uniform in ± amplitude, in the model's units of membrane.
        reference_rate, rate: spikes per neuron and time step, of the reference and of the stand-in.
        mean_error: squared difference of the mean input to the following layers, averaged over
            images and neurons, in units of the reference's variance over trials.
        spread_ratio: variance of that input over trials, of the stand-in to the reference.
    """

    layer: str
    stand_in: StandIn
    amplitude: float
    reference_rate: float
    rate: float
    mean_error: float
    spread_ratio: float

    @property
    def rate_error(self) -> float:
        """Difference of the rates, relative to the reference's rate."""
        if self.reference_rate == 0:
            return 0.0 if self.rate == 0 else math.inf
        return self.rate / self.reference_rate - 1


def calibrate(
    graph: nir.NIRGraph,
    data: Given | None,
    chip: str = "loihi2",
    noise: str = "membrane",
    *,
    method: str = "behaviour",
    dt: float | None = None,
    time_steps: int | None = None,
    events: bool = False,
    random_source: str = "philox",
    convention: str | None = None,
    reset: str | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> tuple[Program, tuple[LayerFit, ...]]:
    """Lower a graph with additive noise that is fitted to data.

    Deterministic: the same graph and data give the same Program.

    Args:
        graph, chip, dt, time_steps, events, random_source, convention, reset: as for
            :func:`stochi.deploy.lower`.
        data: inputs like those that the network will see, as for ``stochi.sim.run``; a few hundred
            images, but not the test set.
        noise: "membrane" or "current".
        method: "behaviour" fits as the module's docstring describes; "moments" only gives the noise
            the mean variance that drawn decays have in each layer, and leaves thresholds unchanged.
        progress: function that is called with a line for every layer.

    Returns:
        The Program, and the fit of each layer.

    Raises:
        InputError: the data is missing or does not fit, or an argument is out of range.
        LoweringError, ProgramError, GraphError: as for :func:`stochi.deploy.lower`.

    Warns:
        CalibrationWarning: a layer's rate remains more than 3 % off, or all samples are the same.
        AmbiguousOrder: as for ``stochi.sim.run``.
    """
    check_arguments(calibrate, locals(), besides=("graph", "data"))
    if noise not in NOISE_TARGETS:
        raise InputError(f"noise {noise!r} is not fitted; choose from {', '.join(NOISE_TARGETS)}")
    if method not in METHODS:
        raise InputError(f"method is {method!r}; choose from {', '.join(METHODS)}")
    check_fit_options(noise, data, None)
    graph = resolve_conventions(graph, dt=dt, convention=convention, reset=reset)
    target = make_target(
        graph, chip, noise, dt=dt, time_steps=time_steps, events=events, random_source=random_source
    )
    network = cut_into_layers(graph, target.dt)
    shown = inputs_in_order(data, network.input_shape, target.time_steps)
    program, fits = fit_network(network, target, shown, method, progress)
    warn_of_ranges(network, program, shown)
    return program, fits


def check_fit_options(noise: str, calibration: Given | None, fitted: Program | None) -> None:
    """Raise InputError unless fitted noise comes with data or a fit, and other noise without a fit.

    Args:
        calibration: data that noise is fitted to, or that only show the membranes' ranges.
        fitted: Program whose fit is taken over.
    """
    if fitted is not None and not isinstance(fitted, Program):
        raise InputError(
            f"fitted is a {type(fitted).__name__}; pass a Program as fitted=, or data as"
            " calibration="
        )
    if isinstance(calibration, Program):
        raise InputError(
            "calibration is a Program; pass it as fitted= to take over its fit, or pass data as"
            " calibration="
        )
    if noise not in NOISE_TARGETS:
        if fitted is not None:
            raise InputError(
                f"noise {noise!r} is not fitted to data; leave fitted out, or choose a noise that"
                f" is ({', '.join(NOISE_TARGETS)})"
            )
    elif calibration is None and fitted is None:
        raise InputError(
            f"noise {noise!r} is fitted to data; pass a few hundred training images as"
            " calibration=, or a fitted Program as fitted="
        )
    elif calibration is not None and fitted is not None:
        raise InputError(
            "both calibration and fitted are given: data that noise is fitted to, and a Program"
            " whose fit is taken over; pass one of them"
        )


def fit_network(
    network: RealNetwork,
    target: Target,
    data: torch.Tensor | None,
    method: str = "behaviour",
    progress: Callable[[str], None] = lambda message: None,
) -> tuple[Program, tuple[LayerFit, ...]]:
    """Fit a network's noise to data; see :func:`calibrate`.

    Args:
        target: with noise "membrane" or "current".
        data, method, progress: as for :func:`calibrate`.
    """
    assert data is not None, "check_fit_options comes first"
    reference = lower_network(network, replace(target, chip="loihi2", noise="decay"))
    plain = lower_network(network, replace(target, noise="none"))
    _check_memory(reference, data)
    _warn_of_alike(reference, data)
    fitting = _Fitting(network, reference, plain, target.noise, data)
    drawn = [layer for layer in network.layers if layer.neuron and layer.neuron.random is not None]
    left, seconds = TimeLeft(), None
    for number, layer in enumerate(drawn, 1):
        rest = "" if seconds is None else f", about {in_words(seconds)} left"
        progress(f"Fitting {layer.name}, {number} of {counted(len(drawn), 'layer')}{rest}")
        fitting.fit(layer.name, method)
        seconds = left.after(number, len(drawn))
    program = fitting.found
    fits = tuple(fitting.measure(program, name) for name in fitting.stand_ins)
    for fit in fits if method == "behaviour" else ():
        if abs(fit.rate_error) > RATE_MARGIN:
            error = signed(100 * fit.rate_error, 1)
            warnings.warn(
                f"layer {fit.layer!r}: its rate remains {error}% off the reference's"
                " with the best noise found; fine-tune with the noise in the loop, or use"
                " noise='decay'",
                CalibrationWarning,
                stacklevel=3,
            )
    return program, fits


def _check_memory(program: Program, data: torch.Tensor) -> None:
    """Raise InputError if the records that noise is fitted to do not fit the memory."""
    values = program.target.time_steps * sum(layer.neurons for layer in program.layers)
    check_step(
        check_inputs(program, data).shape[1],
        Taken(0, _RECORD * values),
        torch.device("cpu"),
        what="a calibration",
        way="take {} inputs (--calibration-images)",
    )


def _warn_of_alike(program: Program, data: torch.Tensor) -> None:
    """Warn if all samples are the same, since the fit would hold for that sample only."""
    shown = check_inputs(program, data)
    if shown.shape[1] > 1 and torch.equal(shown, shown[:, :1].expand_as(shown)):
        warnings.warn(
            f"all {shown.shape[1]} samples that the noise is fitted to are the same; pass inputs"
            " like those that the network will see",
            CalibrationWarning,
            stacklevel=4,
        )


class _Fitting:
    """The fit of a network: stand-ins found so far, and how to try another.

    Args:
        network: layers in real numbers.
        reference: Program with drawn decays.
        plain: Program for the target's chip, without noise.
        noise: "membrane" or "current".
        data: inputs as for ``stochi.sim.run``.

    Attributes:
        stand_ins, amplitudes: what was found, by the layer's name.
        found: Program with these stand-ins.
    """

    def __init__(
        self,
        network: RealNetwork,
        reference: Program,
        plain: Program,
        noise: str,
        data: torch.Tensor,
    ) -> None:
        self.network, self.reference, self.plain = network, reference, plain
        self.noise, self.data = noise, data
        self.stand_ins: dict[str, StandIn] = {}
        self.amplitudes: dict[str, float] = {}
        self.found = lower_network_like(plain, network, noise, {})

    def fit(self, name: str, method: str) -> None:
        """Find a layer's stand-in, after those of the layers before it."""
        counts = observe(self.reference, name, self.data, REFERENCE_SEED)
        target = _mean(counts)
        largest_scale = scale_with_room(self.plain.layer(name))
        moments = noise_amplitude(self.reference, name, self.data)
        part = up_to(self.found, name)
        look = observer(part, name, self.data, FIT_SEED)

        def with_noise(amplitude: float, factor: float) -> tuple[StandIn, Program]:
            return self._with_room(part, name, amplitude, largest_scale, factor)

        def excess(log_factor: float, amplitude: float) -> float:
            _, program = with_noise(amplitude, math.exp(log_factor))
            return _mean(look(program)) - target

        def threshold_factor(amplitude: float) -> float:
            return factor_that_matches(lambda log_factor: excess(log_factor, amplitude))

        def error(log_amplitude: float) -> float:
            amplitude = math.exp(log_amplitude)
            _, program = with_noise(amplitude, threshold_factor(amplitude))
            seen = look(program)
            return divergence(*compare_behind(self.reference, name, counts, seen))

        amplitude, factor = moments, 1.0
        if method == "behaviour" and moments > 0:
            around = math.log(moments)
            found = optimize.minimize_scalar(
                error,
                bounds=(around - math.log(4), around + math.log(2.5)),
                method="bounded",
                options={"xatol": 0.05, "maxiter": 12},
            )
            amplitude = math.exp(found.x)
            factor = threshold_factor(amplitude)
        if amplitude > 0:
            self.stand_ins[name], _ = with_noise(amplitude, factor)
            self.amplitudes[name] = amplitude
            self.found = with_stand_in(self.found, self.network, name, self.stand_ins[name])

    def measure(self, program: Program, name: str) -> LayerFit:
        """Compare a layer of the finished Program with the reference, with fresh draws."""
        reference = observe(self.reference, name, self.data, CHECK_SEED)
        seen = observe(program, name, self.data, CHECK_SEED + 1)
        mean_error, ratio = compare_behind(self.reference, name, reference, seen)
        return LayerFit(
            name,
            self.stand_ins[name],
            self.amplitudes[name],
            _mean(reference) / program.target.time_steps,
            _mean(seen) / program.target.time_steps,
            mean_error,
            ratio,
        )

    def _with_room(
        self, part: Program, name: str, amplitude: float, largest_scale: float, factor: float
    ) -> tuple[StandIn, Program]:
        """Make a layer's stand-in, and lower the layer with it, in the part of a Program up to it.

        The scale is halved until the noise and the layer's input fit 24 bits together.
        """
        scale, last_error = largest_scale, None
        for _ in range(MOST_HALVINGS):
            tried = make_stand_in(self.noise, amplitude, scale, factor)
            try:
                return tried, with_stand_in(part, self.network, name, tried)
            except (LoweringError, ProgramError) as error:
                scale, last_error = scale / 2, error
        assert last_error is not None
        raise last_error


def factor_that_matches(excess: Callable[[float], float]) -> float:
    """Return the factor of thresholds with which a layer spikes as often as its reference.

    Args:
        excess: logarithm of the factor → spikes more than the reference's; it falls.
    """
    low, high = -math.log(LARGEST_FACTOR), math.log(LARGEST_FACTOR)
    if excess(low) <= 0:
        return math.exp(low)
    if excess(high) >= 0:
        return math.exp(high)
    return math.exp(optimize.brentq(excess, low, high, xtol=1e-4))


def compare_inputs(reference: torch.Tensor, seen: torch.Tensor) -> tuple[float, float]:
    """Compare two sets of inputs to the following layers, in mean and variance over trials.

    Args:
        reference, seen: (trials, images, neurons).

    Returns:
        The mean squared difference of the means over trials, in units of the reference's variance
        over trials and without the share that is due to the finite number of trials; and the ratio
        of the variances.
    """
    reference, seen = reference.double(), seen.double()
    spread, seen_spread = float(reference.var(0).mean()), float(seen.var(0).mean())
    difference = float((reference.mean(0) - seen.mean(0)).square().mean())
    chance = spread / len(reference) + seen_spread / len(seen)
    if spread == 0:
        return (0.0 if difference == 0 else math.inf), 1.0
    return (difference - chance) / spread, seen_spread / spread


def compare_behind(
    program: Program, name: str, reference: torch.Tensor, seen: torch.Tensor
) -> tuple[float, float]:
    """Compare the inputs that two sets of a layer's spike counts give to the following layers.

    Args:
        program: whose weights sum up the counts.
        reference, seen: (trials, images, *shape), from :func:`observe`.

    Returns:
        What :func:`compare_inputs` returns, averaged over the following layers.
    """
    found = [
        compare_inputs(
            _pass_on(program, target, name, reference), _pass_on(program, target, name, seen)
        )
        for target in program.layers
        if any(projection.source == name for projection in target.projections)
    ] or [compare_inputs(reference.flatten(2), seen.flatten(2))]
    errors, ratios = zip(*found, strict=True)
    return sum(errors) / len(errors), math.prod(ratios) ** (1 / len(ratios))


def _pass_on(program: Program, target: Layer, name: str, counts: torch.Tensor) -> torch.Tensor:
    """Sum spike counts (trials, images, …) to the input of a following layer."""
    weights = RunningLayer(program, program.index(target.name), counts.device).weights
    total = torch.zeros(())
    for projection, weight in zip(target.projections, weights, strict=True):
        if projection.source == name:
            # Counts reach beyond what float32 sums exactly.
            sums = synaptic_sums(
                replace(projection, weight_exponent=0), weight.double(), counts.flatten(0, 1)
            )
            total = total + sums * 2.0**projection.weight_exponent
    return total.unflatten(0, counts.shape[:2]).flatten(2)


def divergence(mean_error: float, spread_ratio: float) -> float:
    """Weigh the errors of a :class:`LayerFit` against each other; 0 if there are none.

    This is twice the Kullback-Leibler divergence of a normal distribution with these differences of
    mean and variance from the reference's.
    """
    return mean_error + spread_ratio - 1 - math.log(max(spread_ratio, 1e-9))


def noise_amplitude(reference: Program, name: str, data: torch.Tensor) -> float:
    """Return the amplitude of uniform noise with the variance that drawing λ causes in a layer.

    Drawing adds ``(λ − λ̄)·(u − I)`` to a membrane. With fixed u and I its variance is
    ``Var(λ)·E[(u − I)²]``, here over the data, neurons and time steps of one trial.

    Returns:
        The amplitude in the model's units of membrane.
    """
    index = reference.index(name)
    running = RunningLayer(reference, index, torch.device("cpu"))
    record = run(reference, InOrder(data), seed=REFERENCE_SEED, probes=("spikes", "membrane"))
    past: dict[str, dict[int, torch.Tensor]] = {
        other: dict(enumerate(spikes)) for other, spikes in record.spikes.items()
    }
    past[INPUT] = frames_by_step(reference, to_frames(reference, check_inputs(reference, data)))
    membrane = record.membrane[name].double()
    squares, time_steps = 0.0, reference.target.time_steps
    for step in range(time_steps):
        drive = running.bias.double().expand_as(membrane[step]).clone()
        for number in range(len(running.layer.projections)):
            sums = running.sums(number, past, step, membrane.shape[1])
            drive += sums.double() * 2.0**ALIGN_SHIFT
        before = membrane[step - 1] if step else torch.zeros_like(drive)
        if step and running.layer.reset == "zero":  # which a delay leaves for this time step
            before = before * ~record.spikes[name][step - 1]
        squares += float((before - drive).square().mean()) / time_steps
    keep = torch.from_numpy(running.layer.decay.values).double() / DECAY_UNITY
    variance = float(keep.var(unbiased=False)) * squares
    return math.sqrt(3 * variance) / running.layer.membrane_unit


def scale_with_room(layer: Layer) -> float:
    """Return S, halved until raised thresholds fit their mantissa.

    The weight exponent falls with S, so that the weights keep their mantissas.
    """
    assert layer.threshold_mantissa is not None
    largest = LARGEST_FACTOR * int(layer.threshold_mantissa.max())
    halvings = max(0, math.ceil(math.log2(largest / THRESHOLD_MANTISSA_MAX)))
    return layer.scale / 2**halvings


def _mean(counts: torch.Tensor) -> float:
    return int(counts.sum()) / counts.numel()
