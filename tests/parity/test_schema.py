"""The JSON schema holds for real reports, and for nothing with other keys."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator, ValidationError

from stochi.attacks import FGSM, Square
from stochi.data import Images
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, ablate, check_parity, combine_seeds
from stochi.parity.masking import find_signs
from stochi.parity.report.schema import report_schema
from stochi.parity.results import WORST
from tests.conftest import conv_net
from tests.parity.test_attacked import shown

SHAPE = (2, 8, 8)
MAPS = {
    *("sides", "differences", "every_draw", "made_by"),
    *("layers", "logit_mean", "rates", "variants", "parameters"),
    *("confusion", "spikes", "membranes", "versions"),
}
"""Keys whose objects have keys of their own, such as the names of layers."""
Place = tuple[str | int, ...]
"""Where a value stands in a report."""


@pytest.fixture(scope="module")
def report() -> ParityReport:
    """A report with all parts that do not need Lava, and with one wrong number in the Program."""
    torch.manual_seed(0)
    net, images = conv_net(), Images(torch.rand(12, *SHAPE), torch.arange(12) % 5)
    program = lower(to_nir(net, images.inputs[:1]))
    first = program.layers[0]
    values = first.decay.values.copy()
    values[100] += 40
    spoiled = replace(first, decay=replace(first.decay, values=values))
    other = replace(program, layers=(spoiled, *program.layers[1:]))
    attack = FGSM(0.3, draws=2, surrogates=("own", "atan-25"))
    found = check_parity(net, other, images, attacks=[attack], trials=2, seeds=(0,), lava=False)
    signs = find_signs([shown(FGSM(1.0), "float", 0.2, 0.0)])
    assert signs and found.mismatches and found.other_weights
    assert found.accuracy[1].made_by and found.accuracy[-1].title == WORST
    return replace(
        found,
        ablation=ablate(net, program, images, attack=attack, trials=2),
        masking=(*found.masking, *signs),
    )


@pytest.fixture(scope="module")
def saved(report: ParityReport, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("report") / "report.json"
    report.save(path)
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = report_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_reports_are_valid(
    report: ParityReport, saved: Any, validator: Draft202012Validator
) -> None:
    validator.validate(saved)
    assert report.distribution is not None
    few = Images(torch.rand(1, *SHAPE), torch.zeros(1, dtype=torch.int64))
    net = conv_net()
    program = lower(to_nir(net, few.inputs), events=True)
    few = Images(few.inputs.round(), few.labels)
    options = {"lava": False, "trials": 1, "seeds": (0,)}
    for other in (
        replace(report, distribution=combine_seeds([report.distribution] * 2)),
        check_parity(net, program, few, **options),  # type: ignore[arg-type]
        check_parity(net, program, few, margins=None, **options),  # type: ignore[arg-type]
    ):
        validator.validate(json.loads(json.dumps(other.to_json())))


def test_an_attack_without_a_gradient_is_valid_in_a_report(
    report: ParityReport, validator: Draft202012Validator
) -> None:
    attacks = (Square(0.1).recipe, Square(0.1, seed=3).recipe)
    changed = replace(report, configuration=replace(report.configuration, attacks=attacks))
    validator.validate(json.loads(json.dumps(changed.to_json())))


def objects(value: Any, path: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every object that has fixed keys, with its place."""
    if isinstance(value, dict):
        if not path or path[-1] not in MAPS | {"other_weights"}:
            yield path, value
        for key, inner in value.items():
            yield from objects(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from objects(inner, (*path, number))


def kinds(saved: Any) -> dict[Place, Place]:
    """Kind of object → place of one of them; a kind is a place without names and numbers."""
    found: dict[Place, Place] = {}
    for path, _ in objects(saved):
        kind = tuple(
            "*" if isinstance(part, int) or (before in MAPS) else part
            for before, part in zip((None, *path), path, strict=False)
        )
        found.setdefault(kind, path)
    return found


def at(value: Any, path: Place) -> dict[str, Any]:
    for part in path:
        value = value[part]
    found: dict[str, Any] = value
    return found


def test_every_object_has_its_keys_and_no_other(
    saved: Any, validator: Draft202012Validator
) -> None:
    places = kinds(saved)
    expected = {
        (),
        ("configuration",),
        ("configuration", "attacks", "*"),
        ("exact", "*"),
        ("exact", "*", "layers", "*", "first"),
        ("accuracy", "*", "sides", "*"),
        ("accuracy", "*", "every_draw", "*"),
        ("accuracy", "*", "flips"),
        ("masking", "*"),
        ("distribution", "margins"),
        ("distribution", "layers", "*", "rate"),
        ("distribution", "network", "logit_mean", "*"),
        ("ablation", "configuration"),
        ("ablation", "variants", "*", "rates", "*", "minus_float"),
    }
    assert expected <= set(places)
    for path in places.values():
        changed = deepcopy(saved)
        inner = at(changed, path)
        inner["unknown"] = 1
        assert not validator.is_valid(changed), path
        del inner["unknown"]
        for key in list(inner):
            value = inner.pop(key)
            assert not validator.is_valid(changed), (path, key)
            inner[key] = value
        validator.validate(changed)


def test_values_of_other_types_are_not_valid(saved: Any, validator: Draft202012Validator) -> None:
    for path, key, value in (
        ((), "version", 4),
        ((), "mismatches", -1),
        ((), "warnings", "none"),
        (("configuration",), "trials", "3"),
        (("other_weights",), "network.lif1", "0.1"),
        (("accuracy", 0), "made_on", 1),
        (("accuracy", 0), "made_on", "moon"),
        (("accuracy", 0, "sides"), "chip", 0.9),
        (("accuracy", 0, "sides", "chip"), "value", 1e40),
        (("accuracy", 0, "sides", "chip"), "images", 0),
        (("accuracy", 1), "epsilon", -0.1),
        (("configuration",), "trials", 0),
        (("configuration", "attacks", 0), "budget", -1),
        (("exact", 0), "left", "moon"),
        (("exact", 0, "layers", 0), "quantity", "charge"),
        (("distribution", "margins"), "fano", 0),
        (("accuracy", 0, "every_draw"), "chip", 0.9),
        (("accuracy", 1, "made_by"), "FGSM (EOT 2)", "half"),
        (("distribution", "margins"), "rate", None),
    ):
        changed = deepcopy(saved)
        at(changed, path)[key] = value
        with pytest.raises(ValidationError):
            validator.validate(changed)
