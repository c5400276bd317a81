"""Typed results of a parity check; ``docs/report.md`` describes every field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from stochi.parity.bounds import (
    Accuracy,
    AccuracyChange,
    Attack,
    Change,
    Count,
    ErrorFound,
    NotNegative,
    NumberFound,
    OneOf,
    Positive,
    Share,
)
from stochi.parity.records.comparison import LayerComparison

FLOAT, TWIN, CHIP = "float", "twin", "chip"
SIDES = {FLOAT: "float model", TWIN: "twin", CHIP: "chip"}
"""The sides that are compared, and their names for people."""
Side = Annotated[str, OneOf(tuple(SIDES))]
Runner = Annotated[str, OneOf(("twin", "engine", "lava"))]
"""What runs the chip's arithmetic."""
FlipKind = Annotated[str, OneOf(("float_only", "chip_only", "both"))]
CLEAN = "clean"
WORST = "worst of all attacks"
"""Title of rows with the worst of all attacked inputs, chosen for each input and side."""


@dataclass(frozen=True)
class Configuration:
    """What was asked for; with models, Program and data it repeats the report.

    Attributes:
        time_steps: of a sample.
        attacks: with the budgets that they ran with.
        epsilons: at which every attack on images ran; None if each had its own budget.
    """

    chip: str
    noise: str
    random_source: str
    time_steps: Positive
    trials: Positive
    seeds: tuple[int, ...]
    exact_images: Count
    attack_images: Count
    attacks: tuple[Attack, ...]
    epsilons: tuple[Share, ...] | None
    batch_size: Positive
    lava: bool


@dataclass(frozen=True)
class ExactComparison:
    """Two runs of the chip's arithmetic on the same images and draws, value for value.

    Attributes:
        left, right: "twin", "engine" or "lava".
        attack: name of the attack that made the images; None for clean ones.
        compared, mismatches: sums over ``layers``.
        lava_accuracy, lava_error: accuracy of the Lava run, or of a regression its mean squared
            error, in the first comparison of each run.
    """

    left: Runner
    right: Runner
    seed: int
    images: Positive
    attack: str | None
    compared: Count
    mismatches: Count
    layers: tuple[LayerComparison, ...]
    lava_accuracy: Accuracy | None = None
    lava_error: ErrorFound | None = None


@dataclass(frozen=True)
class OwnComparison:
    """The model as its author wrote it, against its graph in real numbers, on the exact images.

    Attributes:
        inputs: number of inputs.
        differing: number of them that are answered differently, beyond rounding.
        largest: largest difference of an output; None if the answers' sizes differ, or if one is
            not a finite number.
        scale: largest output of the graph.
    """

    inputs: Count
    differing: Count
    largest: NotNegative | None
    scale: NotNegative


@dataclass(frozen=True)
class Flips:
    """Numbers of the images that an attack flips, ascending; no image is in two of them."""

    float_only: tuple[Count, ...]
    chip_only: tuple[Count, ...]
    both: tuple[Count, ...]


@dataclass(frozen=True)
class AccuracyRow:
    """Accuracy of every side on one set of images.

    Attributes:
        attack: "clean", the attack's name with its budget, or "worst of all attacks" with theirs.
        title: the same without the budget.
        made_on: side whose model the attacker used; None if the attack needs none.
        epsilon: ε; None for clean images and for attacks with another budget.
        sides: side → its accuracy.
        differences: "<later>_minus_<earlier>" → their paired difference.
        every_draw: side → share of images that are right in all trials, since an attacker may show
            an image again.
        flips: None for clean images.
        lava: accuracy of those images that Lava ran, or None.
        made_by: part of the attack → share of the images that it made; empty if there is one part.
    """

    attack: str
    title: str
    made_on: Side | None
    epsilon: Share | None
    sides: Mapping[str, Accuracy]
    differences: Mapping[str, AccuracyChange]
    every_draw: Mapping[str, Accuracy]
    flips: Flips | None = None
    lava: Accuracy | None = None
    made_by: Mapping[str, Share] = field(default_factory=dict)


@dataclass(frozen=True)
class Errors:
    """Mean squared error of every side, of a regression.

    Attributes:
        sides: side → its error, in squared units of the labels.
        differences: "<later>_minus_<earlier>" → their paired difference.
        lava: error on those inputs that Lava ran, or None.
    """

    sides: Mapping[str, ErrorFound]
    differences: Mapping[str, NumberFound]
    lava: ErrorFound | None = None


@dataclass(frozen=True)
class MaskingSign:
    """One sign that a side's gradients are masked.

    Attributes:
        side: "float" or "chip".
        epsilon: ε at which it was seen; None for images without gradients and across several ε.
        white_box: the gradient attack that did worse than it should; None for images without
            gradients.
        sign, value, low, high, limit: as in :class:`stochi.attacks.masking.Finding`.
    """

    side: Side
    epsilon: Share | None
    white_box: str | None
    sign: str
    value: Change
    low: Change
    high: Change
    limit: Share


@dataclass(frozen=True)
class FlippedImage:
    """An image that an attack flips, as it was and as it was shown.

    Attributes:
        number: of the image, from 0.
        attack, made_on: as of the row in the table of accuracies.
        flips: "float_only", "chip_only" or "both".
        shape: (channels, height, width) with 1 or 3 channels.
        clean, attacked: its pixels, 0 to 255, in base64, in the order of the shape.
    """

    number: Count
    attack: str
    made_on: Side | None
    flips: FlipKind
    shape: tuple[Positive, ...]
    clean: str
    attacked: str


@dataclass(frozen=True)
class LayerTrace:
    """One sample in one layer, on the twin and on the chip.

    Attributes:
        layer: its name.
        neurons: numbers of the neurons whose spikes follow, in the flattened layer, ascending.
        spikes: side → for each neuron a digit for each time step, 1 for a spike; empty for a layer
            that does not spike.
        neuron: number of the neuron whose membrane follows.
        membranes: side → its membrane after each time step, in the chip's units.
    """

    layer: str
    neurons: tuple[Count, ...]
    spikes: Mapping[str, tuple[str, ...]]
    neuron: Count
    membranes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class SampleTrace:
    """One sample's run on the twin and on the chip: that of the first mismatch, or the first.

    Attributes:
        number: of the sample, from 0.
        seed: of the draws; the trial is 0.
        chip: what ran as the chip: "lava" or "engine".
        layers: in the network's order.
    """

    number: Count
    seed: int
    chip: Runner
    layers: tuple[LayerTrace, ...]


@dataclass(frozen=True)
class RunDetails:
    """With what, when and on which data a check ran.

    Attributes:
        versions: name → version of Stochi, Python and the libraries; None for what is missing.
        data: the data in a few words.
        date: UTC, as ISO 8601; None if the caller did not say it.
        command: the words of the command line; None from Python.
    """

    versions: Mapping[str, str | None]
    data: str
    date: str | None = None
    command: tuple[str, ...] | None = None
