"""The comparisons in distribution, one by one and taken together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stochi.errors import InputError
from stochi.sim.equivalence import two_one_sided_tests

VERDICTS = ("equivalent", "undecided", "different")


def entries(distribution: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every comparison with its place, such as ("layers", "lif1", "rate")."""

    def walk(place: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        if "verdict" in value:
            yield place, value
        else:
            for name, inner in value.items():
                yield from walk((*place, name), inner)

    for part in ("layers", "network"):
        yield from walk((part,), distribution[part])


def overall_verdict(distribution: Mapping[str, Any]) -> str:
    """The worst verdict of all. Equivalent only if everything is, which keeps the level of each
    test (the intersection-union principle: Berger, Technometrics 1982)."""
    return max((entry["verdict"] for _, entry in entries(distribution)), key=VERDICTS.index)


def combine_seeds(distributions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Comparisons of models that were trained with other seeds, as one.

    The seeds are the sample: Student's t over their differences, so the interval is for a network
    trained the same way with yet another seed. The values of both sides are means over the seeds.

    Args:
        distributions: of :func:`compare_distributions`, with layers of the same names and the same
            margins.

    Raises:
        InputError: there are fewer than 2, or they hold other comparisons.
    """
    if len(distributions) < 2:
        raise InputError("an interval over training seeds needs at least 2 of them")
    combined: dict[str, Any] = {
        "images": distributions[0]["images"],
        "trials": distributions[0]["trials"],
        "training_seeds": len(distributions),
        "margins": dict(distributions[0]["margins"]),
        "layers": {},
        "network": {},
        "left_out": list(distributions[0]["left_out"]),
    }
    each = [dict(entries(distribution)) for distribution in distributions]
    same = all(d["margins"] == combined["margins"] for d in distributions)
    if not same or any(list(one) != list(each[0]) for one in each):
        raise InputError("the training seeds were compared in other layers, or by other margins")
    for place in each[0]:
        found = [one[place] for one in each]
        # A difference that is none (relative to a silent layer) makes the mean none, too.
        differences = [np.nan if e["difference"] is None else e["difference"] for e in found]
        test = two_one_sided_tests(np.array(differences, float), found[0]["margin"])
        means = {side: float(np.mean([e[side] for e in found])) for side in ("float", "chip")}
        *parents, name = place
        target = combined
        for parent in parents:
            target = target.setdefault(parent, {})
        target[name] = {**means, **test.as_dict()}
    return {**combined, "verdict": overall_verdict(combined)}
