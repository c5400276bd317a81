r"""Names of files that are not UTF-8 stand in what is written as ``\udcff``, which can be read."""

import os
import shutil
from pathlib import Path

from stochi.files import write_whole
from stochi.parity import load_reports
from tests.commands.conftest import Run
from tests.parity.small_reports import plain_report

ODD, SEEN = os.fsdecode(b"a\xff"), r"a\udcff"


def test_text_with_odd_names_is_written_visibly(tmp_path: Path) -> None:
    write_whole(tmp_path / "t.txt", f"{ODD} ε\n")
    assert (tmp_path / "t.txt").read_text(encoding="utf-8") == f"{SEEN} ε\n"


def test_all_forms_of_a_comparison(run_as_typed: Run) -> None:
    plain_report().save(f"{ODD}.json")
    plain_report(3).save("b.json")
    forms = {"html": "html", "csv": "csv", "latex": "tex", "markdown": "md", "figure": "svg"}
    words = [w for form, end in forms.items() for w in (f"--{form}", f"{ODD}.{end}")]
    status, out, err = run_as_typed("compare", f"{ODD}.json", "b.json", *words)
    assert status == 0 and f"Wrote {SEEN}.html" in out, err
    for end in forms.values():
        assert "udcff" in Path(f"{ODD}.{end}").read_text(encoding="utf-8"), end
    Path("again.toml").write_bytes(Path(f"{ODD}.compare.toml").read_bytes())
    status, _, err = run_as_typed("compare", "--config", "again.toml")
    assert status == 2 and f"{SEEN}.json: no such file" in err
    assert set(load_reports([f"{ODD}.json"])) == {ODD}


def test_graphs_programs_and_models(run_as_typed: Run, trained: Path) -> None:
    shutil.copy(trained / "m.nir", f"{ODD}.nir")
    for words in (
        ("deploy", f"{ODD}.nir", "--out", f"{ODD}.program"),
        ("map", f"{ODD}.program", "--figure", f"{ODD}.pdf"),
        ("show", f"{ODD}.program", "--json"),
        ("simulate", f"{ODD}.program", "--images", "2", "--out", f"{ODD}.npz"),
        ("deploy", f"{ODD}.program", "--format", "lava", "--samples", "1", "--out", f"{ODD}_lava"),
        ("export", f"{ODD}.nir", "--format", "onnx", "--out", f"{ODD}.onnx"),
    ):
        status, _, err = run_as_typed(*words)
        assert status == 0, (words, err)
