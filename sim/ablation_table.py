"""The ablation, in words."""

from collections.abc import Mapping
from typing import Any

ABLATION_TITLE = "Each of the chip's properties alone (95 % intervals, paired with the float model)"
NAMES = {
    "float": "GPU float",
    "input": "8-bit input",
    "weights": "weights",
    "decays": "decays",
    "states": "24-bit states",
    "noise": "noise stand-in",
    "all": "all: the chip",
}


def ablation_rows(ablation: Mapping[str, Any] | None) -> list[list[str]]:
    """Rows of text, the first one the head: accuracies in %, differences in points, and the layers'
    firing rates, relative to the float model's."""
    rows = [["alone", "clean", "− float", "attacked", "− float", "firing rates − float, %"]]
    if ablation is None:
        return rows
    for name in (name for name in NAMES if name in ablation["variants"]):
        variant = ablation["variants"][name]
        cells = [NAMES[name]]
        for shown in (variant["clean"], variant["attacked"]):
            if shown is None:
                cells += ["–", "–"]
                continue
            accuracy = shown["accuracy"]
            ends = f"{100 * accuracy['low']:.1f}–{100 * accuracy['high']:.1f}"
            difference = "–" if name == "float" else _signed(shown["minus_float"], 1, "\n")
            cells += [f"{accuracy['value']:.1%}\n{ends}", difference]
        cells.append("–" if name == "float" else _rates(variant["rates"]))
        rows.append(cells)
    return rows


def _rates(rates: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{layer} {'–' if one['minus_float'] is None else _signed(one['minus_float'], 2, ' ')}"
        for layer, one in rates.items()
    )


def _signed(estimate: Mapping[str, float], digits: int, between: str) -> str:
    value, low, high = (100 * estimate[key] for key in ("value", "low", "high"))
    return f"{value:+.{digits}f}{between}[{low:+.{digits}f}, {high:+.{digits}f}]"
