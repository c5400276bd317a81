"""A saved report is read back as it was, and one that is damaged is refused with all reasons."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stochi.errors import InputError
from stochi.parity import ParityReport
from stochi.parity.report.documents import Place, write_place
from tests.parity.small_reports import composed_report, errors, full_report, plain_report
from tests.thoroughness import with_slow

REPORTS = {
    "full": full_report,
    "mismatches": lambda: plain_report(3),
    "regression": lambda: plain_report(accuracy=(), errors=errors(0.01)),
    "one row": plain_report,
    "composed": composed_report,
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    full_report().save(tmp_path / "r.json")
    return tmp_path / "r.json"


@pytest.mark.parametrize("name", REPORTS)
def test_a_loaded_report_is_the_saved_one(name: str, tmp_path: Path) -> None:
    report: ParityReport = REPORTS[name]()
    report.save(tmp_path / "r.json")
    loaded = ParityReport.load(tmp_path / "r.json")
    assert loaded == report and str(loaded) == str(report)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "r.json").read_bytes()
    report.to_html(tmp_path / "r.html")
    loaded.to_html(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "r.html").read_bytes()


def test_the_full_report_has_all_parts() -> None:
    report = full_report()
    assert report.confusion is not None and report.sample is not None and report.run is not None
    assert report.flipped and 0 < len(report.flipped) <= 6
    assert sum(map(sum, report.confusion["chip"])) == 12 * 2
    right = sum(report.confusion["chip"][n][n] for n in range(5)) / (12 * 2)
    assert right == pytest.approx(report.accuracy[0].sides["chip"].value)
    assert report.run.date == "2026-01-02T03:04:05+00:00"
    assert [layer.layer for layer in report.sample.layers][-1] == "network.fc"
    for layer in report.sample.layers:
        assert layer.membranes["twin"] == layer.membranes["chip"]


def test_a_missing_file_and_a_foreign_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.json: no such file"):
        ParityReport.load(tmp_path / "no.json")
    for text in ("{", "[" * 100_000, "[1]", '{"version": 8}', "\x80", "9" * 5_000):
        (tmp_path / "f.json").write_text(text, encoding="latin-1")
        with pytest.raises(InputError, match=r"f\.json: .*report"):
            ParityReport.load(tmp_path / "f.json")


@pytest.mark.parametrize("version", [7, 10, "9", True, None, 9.0])
def test_other_versions_are_refused_by_name(saved: Path, version: Any) -> None:
    values = json.loads(saved.read_text()) | {"version": version}
    saved.write_text(json.dumps(values))
    with pytest.raises(InputError, match=f"version {version!r}.*reads versions 8 and 9"):
        ParityReport.load(saved)


def test_version_8_is_read_without_costs_and_events(saved: Path, tmp_path: Path) -> None:
    values = json.loads(saved.read_text()) | {"version": 8}
    del values["costs"], values["events"]
    saved.write_text(json.dumps(values))
    loaded = ParityReport.load(saved)
    assert loaded == replace(full_report(), costs=None)
    loaded.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'id="accuracy"' in page and 'id="costs"' not in page
    loaded.save(saved)
    assert json.loads(saved.read_text())["version"] == 9 and ParityReport.load(saved) == loaded


def test_all_problems_are_named_at_once(saved: Path) -> None:
    values = json.loads(saved.read_text())
    values["configuration"]["trials"] = "3"
    values["unknown"] = 1
    del values["accuracy"][0]["sides"]["chip"]["low"]
    values["distribution"]["margins"]["rate"] = -1
    saved.write_text(json.dumps(values))
    with pytest.raises(InputError) as raised:
        ParityReport.load(saved)
    message = str(raised.value)
    assert message.startswith(f"{saved}: not a whole report: ")
    for part in ("configuration.trials", "unknown is unknown", "chip.low is missing", "margin"):
        assert part in message, message


def put(*path: str | int, value: Any) -> Callable[[Any], None]:
    def change(values: Any) -> None:
        *before, last = path
        for key in before:
            values = values[key]
        values[last] = value

    return change


CONTRADICTIONS = {
    "sides": (lambda v: v["accuracy"][0]["sides"].pop("twin"), r"accuracy\[0\]\.sides"),
    "sum": (put("mismatches", value=4), "mismatches is not the sum"),
    "sum of layers": (put("exact", 0, "compared", value=4), r"exact\[0\]\.compared"),
    "no first": (put("exact", 0, "layers", 0, "mismatches", value=1), "contradict"),
    "verdict": (
        put("distribution", "network", "accuracy", "verdict", value="good"),
        "accuracy.verdict is 'good'",
    ),
    "confusion": (put("confusion", "chip", value=[[1, 2]]), "confusion is not"),
    "pixels": (put("flipped", 0, "clean", value="AAAA"), "3 pixels"),
    "base64": (put("flipped", 0, "clean", value="-"), "not base64"),
    "shape": (put("flipped", 0, "shape", value=[2, 8, 8]), "its shape"),
    "spikes": (put("sample", "layers", 0, "spikes", "chip", 0, value="0120"), "digits"),
    "steps": (put("sample", "layers", 0, "membranes", "chip", value=[1]), "time steps"),
    "variants": (lambda v: v["ablation"]["variants"].pop("float"), "ablation.variants"),
    "made on": (put("accuracy", 0, "made_on", value="moon"), "made_on is 'moon'"),
    "logits": (put("distribution", "network", "logit_mean", value={}), "logit_mean is empty"),
}


COMPOSED = {
    "negative": (put("costs", "layers", 0, "spikes", value=-1.0), r"layers\[0\]\.spikes is -1\.0"),
    "not finite": (put("costs", "energy", "neurons", value=float("inf")), "energy.neurons is"),
    "cores": (put("costs", "cores", "taken", value=129), "1 chips of 128 cores do not have 129"),
    "on no cores": (put("costs", "cores", value=None), "cores of the layers and"),
    "energy": (put("costs", "energy", "all_events", value=45.0), "sum of its parts, 45.5"),
    "attack": (put("events", "attack", value=None), "attack and attacked contradict"),
    "no step": (put("events", "steps_of_frame", value=0), "steps_of_frame is 0"),
    "frames": (put("events", "time_steps", value=5), "clean has 4 frames, not 5"),
    "sensor": (put("events", "shape", value=[198]), "events.shape"),
    "events' base64": (put("events", "clean", "frames", 2, value="?"), "frame 2: not base64"),
    "bytes": (put("events", "attacked", "frames", 0, value="AAAA"), "3 bytes, not those"),
    "count": (put("events", "clean", "events", value=3), "events.clean.events is 3"),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_costs_and_events_that_contradict_themselves_are_refused(tmp_path: Path, name: str) -> None:
    change, message = COMPOSED[name]
    composed_report().save(tmp_path / "r.json")
    values = json.loads((tmp_path / "r.json").read_text())
    change(values)
    (tmp_path / "r.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=message):
        ParityReport.load(tmp_path / "r.json")


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_parts_that_contradict_each_other_are_refused(saved: Path, name: str) -> None:
    change, message = CONTRADICTIONS[name]
    values = json.loads(saved.read_text())
    change(values)
    saved.write_text(json.dumps(values))
    with pytest.raises(InputError, match=message):
        ParityReport.load(saved)


def test_names_from_files_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    report = full_report()
    sample = report.sample
    assert sample is not None
    name = "<script>alert(1)</script>\x1b\u202e"
    layers = tuple(replace(layer, layer=name) for layer in sample.layers)
    replace(report, sample=replace(sample, layers=layers)).to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "\x1b" not in page and "\u202e" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b\\u202e" in page
    assert "12 of &lt;my&gt; images" in page and "stochi parity &#39;a b.pt&#39;" in page


CHIP_ROW = ("accuracy", 0, "sides", "chip")
BOUNDS: dict[str, tuple[Place, Any, str]] = {
    "large accuracy": ((*CHIP_ROW, "value"), 1e40, r"\.sides\.chip\.value is 1e\+40: .*equal to 1"),
    "low above": ((*CHIP_ROW, "low"), 0.95, r"\.sides\.chip: the interval from 0\.95 to"),
    "high below": ((*CHIP_ROW, "high"), 0.5, r"sides\.chip: the interval .* does not hold 0\.9"),
    "spread": ((*CHIP_ROW, "trial_spread"), -0.1, r"chip\.trial_spread is -0\.1"),
    "no images": ((*CHIP_ROW, "images"), 0, r"sides\.chip\.images is 0: .* equal to 1"),
    "trials": (("configuration", "trials"), -3, r"configuration\.trials is -3"),
    "exact images": (("configuration", "exact_images"), -1, r"configuration\.exact_images is -1"),
    "images": (("exact", 0, "images"), -4, r"exact\[0\]\.images is -4"),
    "left": (("exact", 0, "left"), "moon", r"exact\[0\]\.left is 'moon': it must be 'twin'"),
    "quantity": (("exact", 0, "layers", 0, "quantity"), "x", r"layers\[0\]\.quantity is 'x'"),
    "of more": (("exact", 0, "layers", 0, "compared"), 2, "more mismatches than values"),
    "epsilon": (("accuracy", 1, "epsilon"), -1e308, r"accuracy\[1\]\.epsilon is -1e\+308"),
    "long epsilon": (("accuracy", 1, "epsilon"), 10**400, "a number of 401 digits"),
    "long count": (("exact", 0, "compared"), 10**309, r"exact\[0\]\.compared is a number of"),
    "difference": (
        ("accuracy", 0, "differences", "chip_minus_float", "value"),
        0.01,
        r"chip_minus_float\.value is 0\.01, and the sides differ by 0",
    ),
    "budget": (("distribution", "images"), -7, r"distribution\.images is -7"),
    "p value": (("distribution", "network", "accuracy", "p_value"), 1.5, r"p_value is 1\.5"),
    "comparison": (
        ("distribution", "layers", "lif1", "rate", "low"),
        0.55,
        r"layers\.lif1\.rate: the interval",
    ),
    "margin": (("distribution", "margins", "fano"), -0.1, r"margins\.fano is -0\.1"),
    "masking": (("masking", 0, "high"), 0.15, r"masking\[0\]: the interval"),
    "confusion": (("confusion", "chip", 1, 0), -1, r"confusion\.chip\[1\]\[0\] is -1"),
    "weights": (("other_weights", "lif1"), 2.0, r"other_weights\.lif1 is 2\.0"),
    "flip": (("flipped", 0, "flips"), "none", r"flipped\[0\]\.flips is 'none'"),
    "surrogate": (("costs", "notes", 0), "\ud800", r"costs\.notes\[0\] has half a char.*ud800"),
    "text": (("costs", "notes", 0), [1], r"costs\.notes\[0\]: it must be a valid string"),
    "key": (("other_weights", "\ud800"), 0.5, "half a character in its key"),
    "ablation": (
        ("ablation", "variants", "all", "clean", "accuracy", "high"),
        0.1,
        r"variants\.all\.clean\.accuracy: the interval",
    ),
}


def put_into(path: Path, place: Place, value: Any) -> None:
    composed_report().save(path)
    values = json.loads(path.read_text())
    put(*place, value=value)(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize("name", BOUNDS)
def test_numbers_and_words_out_of_bounds_are_named(tmp_path: Path, name: str) -> None:
    place, value, message = BOUNDS[name]
    put_into(tmp_path / "r.json", place, value)
    with pytest.raises(InputError, match=message) as raised:
        ParityReport.load(tmp_path / "r.json")
    assert "\n" not in str(raised.value) and "Invalid JSON" not in str(raised.value)


INFINITE = [float("inf"), float("-inf")]


@pytest.mark.parametrize("value", [float("nan"), *with_slow(INFINITE, INFINITE)])
def test_no_number_is_other_than_finite(tmp_path: Path, value: float) -> None:
    composed_report().save(tmp_path / "r.json")
    original = json.loads((tmp_path / "r.json").read_text())
    places = list(numbers_of(original))
    assert len(places) > 300
    for place in places[:: max(1, len(places) // 60)]:
        values = deepcopy(original)
        put(*place, value=value)(values)
        (tmp_path / "r.json").write_text(json.dumps(values))
        with pytest.raises(InputError) as raised:
            ParityReport.load(tmp_path / "r.json")
        text = str(raised.value)
        expected = f"{write_place(place)} is {value}; it must be a finite number"
        assert expected in text or place == ("version",), (place, text)


def numbers_of(value: Any, before: Place = ()) -> Iterator[Place]:
    """Place of every number."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from numbers_of(value[key], (*before, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield before


def test_a_key_that_stands_twice_is_named(saved: Path) -> None:
    text = saved.read_text().replace('"lava": false', '"lava": false, "lava": true', 1)
    saved.write_text(text)
    with pytest.raises(InputError, match=r"configuration\.lava stands there more than once"):
        ParityReport.load(saved)


def test_deep_lists_are_named(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    put_into(tmp_path / "r.json", ("costs", "notes"), ["a", deep])
    with pytest.raises(InputError, match=r"costs\.notes\[1\]\[0\].*lies deeper than 32 levels"):
        ParityReport.load(tmp_path / "r.json")


def test_a_version_of_many_digits_is_not_one_that_is_read(saved: Path) -> None:
    text = saved.read_text().replace('"version": 9', f'"version": {"9" * 5000}', 1)
    saved.write_text(text)
    with pytest.raises(InputError, match=r"version a number of 5,000 digits.*reads versions 8"):
        ParityReport.load(saved)


def test_a_byte_order_mark_is_no_fault(saved: Path) -> None:
    saved.write_bytes(b"\xef\xbb\xbf" + saved.read_bytes())
    assert ParityReport.load(saved) == full_report()
