"""What the parts of a report must have in common, beyond their types."""

import binascii
import math
from base64 import b64decode
from collections.abc import Iterator, Mapping, Set
from typing import TYPE_CHECKING

from stochi.parity.ablation_results import VARIANTS
from stochi.parity.bounds import ROUNDING
from stochi.parity.costs import Costs
from stochi.parity.distribution.results import comparisons
from stochi.parity.event_sample import EventFrames, EventSample, is_sensor
from stochi.parity.report.documents import write_place
from stochi.parity.report.tables import DIFFERENCES
from stochi.parity.results import (
    CHIP,
    FLOAT,
    SIDES,
    TWIN,
    AccuracyRow,
    Errors,
    FlippedImage,
    LayerTrace,
)

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport

TWO = frozenset((FLOAT, CHIP))
TRACED = frozenset((TWIN, CHIP))


def find_contradictions(report: "ParityReport") -> list[str]:
    """Return what does not fit together, a phrase each."""
    return [
        *_of_accuracy(report),
        *_of_exact(report),
        *_of_distribution(report),
        *_of_confusion(report.confusion),
        *(text for image in report.flipped for text in _of_flipped(image)),
        *(text for layer in _traces(report) for text in _of_trace(layer)),
        *([] if report.costs is None else _of_costs(report.costs)),
        *([] if report.events is None else _of_events(report.events)),
        *_of_others(report),
    ]


def _keys(found: Set[str], right: Set[str], place: str) -> Iterator[str]:
    if found != right:
        yield f"{place} has the keys {sorted(found)}, not {sorted(right)}"


def _of_accuracy(report: "ParityReport") -> Iterator[str]:
    for number, row in enumerate(report.accuracy):
        place = f"accuracy[{number}]"
        yield from _keys(row.sides.keys(), SIDES.keys(), f"{place}.sides")
        yield from _keys(row.every_draw.keys(), SIDES.keys(), f"{place}.every_draw")
        yield from _keys(row.differences.keys(), DIFFERENCES.keys(), f"{place}.differences")
        yield from _of_differences(row, place)
    if report.errors is not None:
        yield from _keys(report.errors.sides.keys(), SIDES.keys(), "errors.sides")
        found = report.errors.differences.keys()
        yield from _keys(found, DIFFERENCES.keys(), "errors.differences")
        yield from _of_differences(report.errors, "errors")


def _of_differences(row: AccuracyRow | Errors, place: str) -> Iterator[str]:
    """Yield the differences that are not those of the two sides, beyond rounding."""
    for name, found in row.differences.items():
        later, _, earlier = name.partition("_minus_")
        if later in row.sides and earlier in row.sides:
            one, two = row.sides[later].value, row.sides[earlier].value
            if abs(found.value - (one - two)) > ROUNDING * max(1.0, abs(one), abs(two)):
                yield (
                    f"{place}.differences.{name}.value is {found.value:.6g}, and the sides differ"
                    f" by {one - two:.6g}"
                )


def _of_exact(report: "ParityReport") -> Iterator[str]:
    for number, entry in enumerate(report.exact):
        for name in ("compared", "mismatches"):
            total = sum(getattr(layer, name) for layer in entry.layers)
            if getattr(entry, name) != total:
                yield f"exact[{number}].{name} is not the sum over its layers, {total}"
        if any((layer.first is None) != (layer.mismatches == 0) for layer in entry.layers):
            yield f"exact[{number}]: first and mismatches of a layer contradict each other"
        if any(layer.mismatches > layer.compared for layer in entry.layers):
            yield f"exact[{number}]: a layer has more mismatches than values that were compared"


def _of_distribution(report: "ParityReport") -> Iterator[str]:
    if report.distribution is None:
        return
    layers, network = report.distribution.layers, report.distribution.network
    if not network.logit_mean:
        yield "distribution.network.logit_mean is empty"
    for place, entry in comparisons(layers, network):
        name = write_place(("distribution", *place))
        yield from _keys(entry.sides.keys(), TWO, f"{name}.sides")


def _of_confusion(confusion: Mapping[str, tuple[tuple[int, ...], ...]] | None) -> Iterator[str]:
    if confusion is None:
        return
    yield from _keys(confusion.keys(), TWO, "confusion")
    classes = {len(rows) for rows in confusion.values()}
    widths = {len(row) for rows in confusion.values() for row in rows}
    if len(classes) != 1 or classes != widths:
        yield "confusion is not (classes, classes) on both sides"


def _of_flipped(image: FlippedImage) -> Iterator[str]:
    place = f"flipped image {image.number}"
    if len(image.shape) != 3 or image.shape[0] not in (1, 3) or min(image.shape) < 1:
        yield f"{place}: its shape is not (1 or 3 channels, height, width)"
        return
    for name in ("clean", "attacked"):
        pixels = _decoded(getattr(image, name))
        if pixels is None:
            yield f"{place}: {name} is not base64"
        elif len(pixels) != math.prod(image.shape):
            yield f"{place}: {name} has {len(pixels)} pixels, not those of its shape"


def _traces(report: "ParityReport") -> tuple[LayerTrace, ...]:
    return () if report.sample is None else report.sample.layers


def _of_trace(layer: LayerTrace) -> Iterator[str]:
    place = f"sample, layer {layer.layer}"
    yield from _keys(layer.membranes.keys(), TRACED, f"{place}, membranes")
    if layer.spikes:
        yield from _keys(layer.spikes.keys(), TRACED, f"{place}, spikes")
    lengths = {len(values) for values in layer.membranes.values()}
    lengths |= {len(digits) for each in layer.spikes.values() for digits in each}
    if len(lengths) != 1 or 0 in lengths:
        yield f"{place}: not all have the same number of time steps, of at least 1"
    if any(len(each) != len(layer.neurons) for each in layer.spikes.values()):
        yield f"{place}: there are not as many rows of spikes as neurons"
    if not {digit for each in layer.spikes.values() for row in each for digit in row} <= set("01"):
        yield f"{place}: spikes are not digits 0 and 1"


def _of_costs(costs: Costs) -> Iterator[str]:
    cores = costs.cores
    if cores is not None and not cores.chips <= cores.taken <= cores.chips * cores.of_chip:
        yield f"costs.cores: {cores.chips} chips of {cores.of_chip} cores do not have {cores.taken}"
    if any((layer.cores is None) != (cores is None) for layer in costs.layers):
        yield "costs: cores of the layers and of the Program contradict each other"
    energy = costs.energy
    if energy is not None:
        total = energy.synapses + energy.neurons + energy.messages + energy.random_numbers
        if not math.isclose(energy.all_events, total):
            yield f"costs.energy.all_events is not the sum of its parts, {total}"


def _of_events(sample: EventSample) -> Iterator[str]:
    if (sample.attack is None) != (sample.attacked is None):
        yield "events: attack and attacked contradict each other"
    sides = {"clean": sample.clean, "attacked": sample.attacked}
    frames = -(-sample.time_steps // sample.steps_of_frame) if sample.clean.frames else 0
    if frames and not is_sensor(sample.shape):
        yield "events.shape is not (1 or 2 polarities, height, width)"
        return
    for name, side in sides.items():
        if side is not None:
            if len(side.frames) != frames:
                yield f"events.{name} has {len(side.frames)} frames, not {frames}"
            yield from _of_frames(f"events.{name}", side, sample.shape)


def _of_frames(place: str, side: EventFrames, shape: tuple[int, ...]) -> Iterator[str]:
    kept = 0
    for number, frame in enumerate(side.frames):
        bits = _decoded(frame)
        if bits is None:
            yield f"{place}, frame {number}: not base64"
        elif len(bits) != -(-math.prod(shape) // 8):
            yield f"{place}, frame {number}: {len(bits)} bytes, not those of the shape"
        else:
            kept += int.from_bytes(bits, "big").bit_count()
    if kept + side.left_out > side.events:
        yield f"{place}.events is {side.events}, and its frames have {kept} and {side.left_out}"


def _decoded(text: str) -> bytes | None:
    """Return the bytes of base64, None if it is none."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _of_others(report: "ParityReport") -> Iterator[str]:
    if report.ablation is not None:
        found = report.ablation.variants.keys()
        if FLOAT not in found or not found <= VARIANTS.keys():
            yield f"ablation.variants has the keys {sorted(found)}"
        for name, variant in report.ablation.variants.items():
            for shown in (variant.clean, variant.attacked):
                if shown is not None and (shown.accuracy is None) == (shown.error is None):
                    place = write_place(("ablation", "variants", name))
                    yield f"{place}: neither or both of accuracy and error"
