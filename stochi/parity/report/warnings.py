"""Warnings that a reader must know before believing a report's numbers."""

from collections.abc import Mapping, Sequence

from stochi.parity.distribution.results import Distribution
from stochi.parity.report.quantities import name_places
from stochi.parity.report.randomness import judged
from stochi.parity.results import SIDES, ExactComparison, MaskingSign, OwnComparison
from stochi.plain_text import in_percent

FOREIGN_SHARE = 0.1
"""Share of a layer's weights above which they were trained, not just rounded, otherwise."""


def find_warnings(
    exact: Sequence[ExactComparison],
    masking: Sequence[MaskingSign],
    distribution: Distribution | None,
    other_weights: Mapping[str, float],
    alike: bool = False,
) -> list[str]:
    """Warnings, a sentence each: other weights, mismatches, masked gradients, differences.

    Args:
        alike: whether nothing is drawn, so that one trial shows all.
    """
    foreign = {name: share for name, share in other_weights.items() if share > FOREIGN_SHARE}
    found = _of_foreign_weights(foreign)
    if any(entry.mismatches for entry in exact):
        found.append(_of_first_mismatch(exact))
        altered = [name for name, share in other_weights.items() if 0 < share <= FOREIGN_SHARE]
        if altered and not foreign:
            found.append(
                "some of the Program's weights are not those that the model gives, in"
                f" {', '.join(altered)}: it comes from an older Stochi, which rounded"
                " otherwise, or was changed; lower the model again"
            )
    return found + [_of_masking(sign) for sign in masking] + _of_distribution(distribution, alike)


def warnings_of_own(own: OwnComparison | None) -> list[str]:
    """Return the warning that the model does not answer as its graph does, if so."""
    if own is None or not own.differing:
        return []
    size = (
        "with another number of values, or with some that are not finite"
        if own.largest is None
        else f"by up to {own.largest:.3g} of {own.scale:.3g}"
    )
    return [
        f"the model as it was written answers {own.differing} of {own.inputs} inputs differently"
        f" from its graph, {size}, so the float model of this report is not the one that was"
        " trained; look for values that forward reads out of tensors (if, item()), for mixing over"
        " the batch, and for states that outlive a pass"
    ]


def _of_foreign_weights(foreign: Mapping[str, float]) -> list[str]:
    if not foreign:
        return []
    shares = ", ".join(f"{name} ({in_percent(share, 0)})" for name, share in foreign.items())
    return [
        "the Program was lowered from another model than the one that was named, so two"
        f" different networks are compared: many weights differ, in {shares}. Pass the"
        " model that the Program came from; if that was tuned to answer like this one, pass"
        " this one with that as lowered_from (--lowered-from)"
    ]


def _of_first_mismatch(exact: Sequence[ExactComparison]) -> str:
    entry = next(entry for entry in exact if entry.mismatches)
    layer = next(layer for layer in entry.layers if layer.mismatches)
    first = layer.first
    assert first is not None
    return (
        f"{entry.left} and {entry.right} differ, first in {layer.quantity} of {layer.layer} at"
        f" step {first.step}, sample {first.sample}, neuron {first.neuron}: {first.left} against"
        f" {first.right}"
    )


def _of_masking(sign: MaskingSign) -> str:
    against = f" ({sign.white_box})" if sign.white_box else ""
    share = f"{in_percent(sign.value, 1)} ({in_percent(sign.low, 1)} to {in_percent(sign.high, 1)})"
    return (
        f"gradients look masked on the {SIDES[sign.side]}: {sign.sign}{against}: {share}; honest"
        f" gradients show at most {in_percent(sign.limit, 0)}"
    )


def _of_distribution(distribution: Distribution | None, alike: bool) -> list[str]:
    if distribution is None:
        return []
    found = []
    different = [place for place, entry in judged(distribution) if entry.verdict == "different"]
    if different:
        names = name_places(different)
        found.append(f"float model and chip differ beyond the margins in {names}")
    if distribution.left_out and not alike:
        found.append("a single trial shows nothing of variability; run at least 2")
    return found
