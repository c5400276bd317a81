"""Fit additive noise to what drawn decays do, layer after layer, on data.

The reference is the same graph with its decays drawn from the chip's table, which is exact. A
layer's stand-in has three numbers: how large its noise is, its threshold, and (through the noise's
size, since the generator knows powers of two only) the scale of its weights. For every size that
is tried, the threshold is set so that the layer spikes as often as the reference; the size is that
with which the layers behind receive most nearly what they receive in the reference: the same input
on average for every image and neuron, and as much spread over trials, weighed as the divergence of
two normal laws weighs them.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import nir
import torch
from scipy import optimize

from stochi.deploy.lowering import lower, lower_network_like
from stochi.deploy.program import INPUT, NOISE_TARGETS, Layer, Program
from stochi.deploy.real_layers import RealNetwork, cut_into_layers
from stochi.deploy.stand_in import CalibrationWarning, StandIn, make_stand_in
from stochi.errors import InputError, LoweringError, ProgramError
from stochi.hardware.fixed_point import ALIGN_SHIFT, DECAY_UNITY, THRESHOLD_MANTISSA_MAX

TRIALS = 4
FIT_SEED, REFERENCE_SEED, CHECK_SEED = (2**31 + i for i in (1, 2, 3))
RATE_MARGIN = 0.03
LARGEST_FACTOR = 4.0
"""Thresholds are raised or lowered by so much at most."""
MOST_HALVINGS = 8
"""Of a layer's scale, to make room for noise."""
METHODS = ("behaviour", "moments")


@dataclass(frozen=True)
class LayerFit:
    """What was fitted to a layer, and what is left, measured with draws that the fit did not see.

    Attributes:
        amplitude: the noise is uniform in ± this, in the model's units of membrane.
        reference_rate, rate: spikes a neuron and step, of the reference and of the stand-in.
        mean_error: the squared difference of the mean input to the layers behind, averaged over
            images and neurons, in units of the reference's variance over trials.
        spread_ratio: variance of that input over trials, stand-in to reference.
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
        """Relative to the reference's rate."""
        if self.reference_rate == 0:
            return 0.0 if self.rate == 0 else math.inf
        return self.rate / self.reference_rate - 1


def calibrate(
    graph: nir.NIRGraph,
    data: torch.Tensor | None,
    chip: str = "loihi2",
    noise: str = "membrane",
    *,
    method: str = "behaviour",
    progress: Callable[[str], None] = lambda message: None,
    **options: Any,
) -> tuple[Program, tuple[LayerFit, ...]]:
    """Lower a graph with additive noise that is fitted to data.

    Deterministic: the same graph and data give the same Program.

    Args:
        graph, chip: as for :func:`stochi.deploy.lower`, as are further options.
        data: what the network will see, as for ``stochi.sim.run``; a few hundred images, not the
            test set.
        noise: "membrane" or "current".
        method: "behaviour" fits as the module says; "moments" only gives the noise the mean
            variance that drawing decays has in each layer, and leaves thresholds alone.
        progress: called with a line for every layer.

    Returns:
        The Program, and what was fitted to each layer.

    Raises:
        InputError: there is no data, it does not fit, or an argument is out of range.

    Warns:
        CalibrationWarning: a layer's rate stays more than 3 % off, or all samples are the same.
    """
    if noise not in NOISE_TARGETS:
        raise InputError(f"noise {noise!r} is not fitted; choose from {', '.join(NOISE_TARGETS)}")
    if method not in METHODS:
        raise InputError(f"method is {method!r}; choose from {', '.join(METHODS)}")
    if data is None:
        raise InputError(
            f"noise {noise!r} is fitted to data; pass calibration=, a few hundred training images"
        )
    reference = lower(graph, "loihi2", "decay", **options)
    plain = lower(graph, chip, "none", **options)
    _warn_of_alike(reference, data)
    network = cut_into_layers(graph, reference.dt)
    fitting = _Fitting(network, reference, plain, noise, data)
    for layer in network.layers:
        if layer.neuron is not None and layer.neuron.random is not None:
            progress(f"Fitting {layer.name}")
            fitting.fit(layer.name, method)
    program = fitting.program()
    fits = tuple(fitting.measure(program, name) for name in fitting.stand_ins)
    for fit in fits if method == "behaviour" else ():
        if abs(fit.rate_error) > RATE_MARGIN:
            warnings.warn(
                f"layer {fit.layer!r}: its rate stays {fit.rate_error:+.1%} off the reference's"
                " with the best noise found; fine-tune with the noise in the loop, or use"
                " noise='decay'",
                CalibrationWarning,
                stacklevel=2,
            )
    return program, fits


def _warn_of_alike(program: Program, data: torch.Tensor) -> None:
    """A fit to one sample many times over holds for that sample."""
    from stochi.sim.inputs import check_inputs

    shown = check_inputs(program, data)
    if shown.shape[1] > 1 and torch.equal(shown, shown[:, :1].expand_as(shown)):
        warnings.warn(
            f"all {shown.shape[1]} samples that the noise is fitted to are the same; pass what the"
            " network will see",
            CalibrationWarning,
            stacklevel=3,
        )


class _Fitting:
    """Stand-ins found so far, and what it takes to try another."""

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

    def program(self, **tried: StandIn) -> Program:
        """The network with the stand-ins that were found, and those that are tried."""
        stand_ins = {**self.stand_ins, **tried}
        return lower_network_like(self.plain, self.network, self.noise, stand_ins)

    def fit(self, name: str, method: str) -> None:
        """Find a layer's stand-in, those of the layers before it being found."""
        counts = observe(self.reference, name, self.data, REFERENCE_SEED)
        target = _mean(counts)
        largest_scale = _scale_with_room(self.plain.layer(name))
        moments = noise_amplitude(self.reference, name, self.data)

        def with_noise(amplitude: float, factor: float) -> tuple[StandIn, Program]:
            return self._with_room(name, amplitude, largest_scale, factor)

        def excess(log_factor: float, amplitude: float) -> float:
            _, program = with_noise(amplitude, math.exp(log_factor))
            return _mean(observe(program, name, self.data, FIT_SEED)) - target

        def threshold_factor(amplitude: float) -> float:
            low, high = -math.log(LARGEST_FACTOR), math.log(LARGEST_FACTOR)
            if excess(low, amplitude) <= 0:
                return math.exp(low)
            if excess(high, amplitude) >= 0:
                return math.exp(high)
            return math.exp(optimize.brentq(excess, low, high, (amplitude,), xtol=1e-4))

        def error(log_amplitude: float) -> float:
            amplitude = math.exp(log_amplitude)
            _, program = with_noise(amplitude, threshold_factor(amplitude))
            seen = observe(program, name, self.data, FIT_SEED)
            return divergence(*self._behind(name, counts, seen))

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

    def measure(self, program: Program, name: str) -> LayerFit:
        """What a layer of the finished Program does beside the reference, with fresh draws."""
        reference = observe(self.reference, name, self.data, CHECK_SEED)
        seen = observe(program, name, self.data, CHECK_SEED + 1)
        mean_error, ratio = self._behind(name, reference, seen)
        return LayerFit(
            name,
            self.stand_ins[name],
            self.amplitudes[name],
            _mean(reference) / program.steps,
            _mean(seen) / program.steps,
            mean_error,
            ratio,
        )

    def _with_room(
        self, name: str, amplitude: float, largest_scale: float, factor: float
    ) -> tuple[StandIn, Program]:
        """A layer's noise at the largest scale, halved until it and the layer's input fit 24 bits,
        and the network with it."""
        scale, refused = largest_scale, None
        for _ in range(MOST_HALVINGS):
            tried = make_stand_in(self.noise, amplitude, scale, factor)
            try:
                return tried, self.program(**{name: tried})
            except (LoweringError, ProgramError) as error:
                scale, refused = scale / 2, error
        assert refused is not None
        raise refused

    def _behind(
        self, name: str, reference: torch.Tensor, seen: torch.Tensor
    ) -> tuple[float, float]:
        """How the input differs that two sets of spike counts give to the layers behind."""
        found = [
            compare_inputs(
                self._pass_on(target, name, reference), self._pass_on(target, name, seen)
            )
            for target in self.reference.layers
            if any(synapses.source == name for synapses in target.synapses)
        ] or [compare_inputs(reference.flatten(2), seen.flatten(2))]
        errors, ratios = zip(*found, strict=True)
        return sum(errors) / len(errors), math.prod(ratios) ** (1 / len(ratios))

    def _pass_on(self, target: Layer, name: str, counts: torch.Tensor) -> torch.Tensor:
        """(trials, images, …) spike counts → what they add up to in a layer behind."""
        from stochi.sim.layer_step import synaptic_sums, to_tensors

        weights = to_tensors(self.reference, target, counts.device).weights
        total = torch.zeros(())
        for synapses, weight in zip(target.synapses, weights, strict=True):
            if synapses.source == name:
                # Counts reach beyond what float32 sums exactly.
                sums = synaptic_sums(
                    replace(synapses, weight_exponent=0), weight.double(), counts.flatten(0, 1)
                )
                total = total + sums * 2.0**synapses.weight_exponent
        return total.unflatten(0, counts.shape[:2]).flatten(2)


def observe(program: Program, name: str, data: torch.Tensor, seed: int) -> torch.Tensor:
    """Spike counts of a layer over a sample's steps, (trials, images, *shape) int32."""
    from stochi.sim.run import run

    part = _up_to(program, name)
    return torch.stack(
        [
            run(part, data, seed=seed, trial=trial, probes=("spikes",)).spikes[name].sum(0).int()
            for trial in range(TRIALS)
        ]
    )


def compare_inputs(reference: torch.Tensor, seen: torch.Tensor) -> tuple[float, float]:
    """Mean squared difference of the means over trials, as a share of the reference's variance over
    trials and without what the finite number of trials adds to it; and the ratio of variances.

    Args:
        reference, seen: (trials, images, neurons).
    """
    reference, seen = reference.double(), seen.double()
    spread, seen_spread = float(reference.var(0).mean()), float(seen.var(0).mean())
    difference = float((reference.mean(0) - seen.mean(0)).square().mean())
    chance = spread / len(reference) + seen_spread / len(seen)
    if spread == 0:
        return (0.0 if difference == 0 else math.inf), 1.0
    return (difference - chance) / spread, seen_spread / spread


def divergence(mean_error: float, spread_ratio: float) -> float:
    """How unlike the reference is what the layers behind receive: see :class:`LayerFit`.

    Twice the Kullback-Leibler divergence, from the reference's, of a normal law whose mean and
    variance differ so much.
    """
    return mean_error + spread_ratio - 1 - math.log(max(spread_ratio, 1e-9))


def noise_amplitude(reference: Program, name: str, data: torch.Tensor) -> float:
    """The amplitude of uniform noise with the variance that drawing λ has in a layer.

    Drawing adds ``(λ − λ̄)·(u − I)`` to a membrane: with fixed u and I its variance is
    ``Var(λ)·E[(u − I)²]``, here over the data, neurons and steps of one trial.

    Returns:
        In the model's units of membrane.
    """
    from stochi.sim.inputs import check_inputs, to_frames
    from stochi.sim.layer_step import to_tensors
    from stochi.sim.run import run
    from stochi.sim.torch_engine import frames_by_step, sums_at

    layer = reference.layer(name)
    record = run(reference, data, seed=REFERENCE_SEED, probes=("spikes", "membrane"))
    past: dict[str, dict[int, torch.Tensor]] = {
        other: dict(enumerate(spikes)) for other, spikes in record.spikes.items()
    }
    past[INPUT] = frames_by_step(reference, to_frames(reference, check_inputs(reference, data)))
    tensors = to_tensors(reference, layer, torch.device("cpu"))
    membrane = record.membrane[name].double()
    squares = 0.0
    for step in range(reference.steps):
        drive = tensors.bias.double().expand_as(membrane[step]).clone()
        for number, synapses in enumerate(layer.synapses):
            sums = sums_at(
                reference, layer, synapses, tensors, number, past, step, membrane.shape[1]
            )
            drive += sums.double() * 2.0**ALIGN_SHIFT
        before = membrane[step - 1] if step else torch.zeros_like(drive)
        squares += float((before - drive).square().mean()) / reference.steps
    keep = torch.from_numpy(layer.decay.values).double() / DECAY_UNITY
    variance = float(keep.var(unbiased=False)) * squares
    return math.sqrt(3 * variance) / (2.0**ALIGN_SHIFT * layer.scale)


def _scale_with_room(layer: Layer) -> float:
    """S, halved until raised thresholds fit their mantissa; the weight exponent makes up for it."""
    assert layer.threshold_mantissa is not None
    largest = LARGEST_FACTOR * int(layer.threshold_mantissa.max())
    halvings = max(0, math.ceil(math.log2(largest / THRESHOLD_MANTISSA_MAX)))
    return layer.scale / 2**halvings


def _mean(counts: torch.Tensor) -> float:
    return int(counts.sum()) / counts.numel()


def _up_to(program: Program, name: str) -> Program:
    """The layers up to one, which is then read; all of them where some feed back."""
    number = next(i for i, layer in enumerate(program.layers) if layer.name == name)
    layers = program.layers[: number + 1]
    known = {layer.name for layer in layers}
    later = {layer.name for layer in program.layers} - known
    if any(synapses.source in later for layer in layers for synapses in layer.synapses):
        layers = program.layers
    return replace(program, layers=layers, output=name, readout="spikes")
