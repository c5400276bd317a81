"""What an ablation found: each of the chip's properties alone in the float model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stochi.notebook_tables import html_table
from stochi.parity.bounds import Accuracy, Count, ErrorFound, NotNegative, NumberFound, Positive
from stochi.parity.terminal import fit_table, terminal_width, wrap
from stochi.parity.words import interval_lines, number_lines, points_lines, signed_estimate

ABLATION_TITLE = "Each of the chip's properties alone (95 % intervals, paired with the float model)"
REFERENCE = "float"
VARIANTS = {
    "float": "float model",
    "input": "8-bit input",
    "weights": "weights",
    "decays": "decays",
    "states": "24-bit states",
    "noise": "noise stand-in",
    "all": "all: the chip",
}
NOTHING = "–"


@dataclass(frozen=True)
class AblationConfiguration:
    """What an ablation was asked for."""

    chip: str
    noise: str
    images: Positive
    attack: str | None
    attack_images: Count
    trials: Positive
    seed: int
    batch_size: Positive


@dataclass(frozen=True)
class Shown:
    """A variant's answers on one set of images.

    Attributes:
        accuracy: None for a regression.
        error: mean squared error of a regression; None otherwise.
        minus_float: paired difference of that from the float model's.
    """

    accuracy: Accuracy | None
    error: ErrorFound | None
    minus_float: NumberFound


@dataclass(frozen=True)
class RateShift:
    """A layer's firing rate and its relative difference from the float model's.

    Attributes:
        rate: spikes per neuron and time step.
        minus_float: None if only the float model is silent.
    """

    rate: NotNegative
    minus_float: NumberFound | None


@dataclass(frozen=True)
class Variant:
    """The float model with one of the chip's properties, or none, or all.

    Attributes:
        attacked: None without an attack.
        rates: layer → its rate on the clean images.
    """

    clean: Shown
    attacked: Shown | None
    rates: Mapping[str, RateShift]


@dataclass(frozen=True, repr=False)
class Ablation:
    """What :func:`stochi.parity.ablate` found.

    Attributes:
        variants: "float", each switch of :mod:`stochi.parity.ablation.model`, and "all", the
            Program.
    """

    configuration: AblationConfiguration
    variants: Mapping[str, Variant]

    def to_json(self) -> dict[str, Any]:
        """Plain values of all of it."""
        return asdict(self)

    def table(self) -> list[list[str]]:
        """Rows of what each property does alone, the first row being the head.

        They have accuracies in %, differences in points, and relative differences of firing rates;
        of a regression mean squared errors and their differences.
        """
        return ablation_rows(self)

    def __str__(self) -> str:
        """The table, in lines that fit the terminal."""
        width = terminal_width()
        return "\n".join([*wrap(ABLATION_TITLE, width), *fit_table(self.table(), width)])

    def __repr__(self) -> str:
        return f"Ablation(chip={self.configuration.chip!r}, variants={list(self.variants)})"

    def _repr_html_(self) -> str:
        """The table, for a notebook."""
        return html_table(ABLATION_TITLE, self.table())


def ablation_rows(ablation: Ablation | None) -> list[list[str]]:
    """Rows of an ablation, as :meth:`Ablation.table` has them; the head alone without one."""
    rows = [["alone", "clean", "− float", "attacked", "− float", "firing rates − float, %"]]
    if ablation is None:
        return rows
    for name in (name for name in VARIANTS if name in ablation.variants):
        variant, reference = ablation.variants[name], name == REFERENCE
        rows.append(
            [
                VARIANTS[name],
                *_shown_alone(variant.clean, reference),
                *_shown_alone(variant.attacked, reference),
                NOTHING if reference else "\n".join(_rate(*each) for each in variant.rates.items()),
            ]
        )
    if all(variant.attacked is None for variant in ablation.variants.values()):
        rows = [[*row[:3], *row[5:]] for row in rows]
    return rows


def _shown_alone(shown: Shown | None, reference: bool) -> list[str]:
    if shown is None:
        return [NOTHING, NOTHING]
    if shown.error is not None:
        return [
            number_lines(shown.error),
            NOTHING if reference else number_lines(shown.minus_float),
        ]
    assert shown.accuracy is not None
    return [
        interval_lines(shown.accuracy),
        NOTHING if reference else points_lines(shown.minus_float),
    ]


def _rate(layer: str, shift: RateShift) -> str:
    found = shift.minus_float
    return f"{layer} {NOTHING if found is None else signed_estimate(found, 2)}"
