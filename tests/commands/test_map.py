"""``stochi map``."""

import json
from pathlib import Path

from tests.commands.conftest import Run, check_refused


def test_map_prints_cores_and_what_is_unknown(run: Run, trained: Path) -> None:
    program = str(trained / "m.program")
    status, out, err = run("map", program, "--figure", "cores.png")
    assert status == 0 and not err
    assert "network.readout" in out and "1 core on 1 chip" in out and "chip 0  a" in out
    assert "1 core holds several layers, under the letter of the one with most" in out
    assert "Unknown of loihi2" in out and "memory" in out
    assert Path("cores.png").stat().st_size > 1000
    found = json.loads(run("map", program, "--json")[1])
    assert found["fits"] and found["chips"] == 1 and len(found["cores"]) == 1
    assert "words" not in found["cores"][0]["utilization"]


def test_map_says_why_a_program_does_not_fit(run: Run, trained: Path) -> None:
    status, out, _ = run("map", str(trained / "m.program"), "--chip", "loihi1")
    assert status == 1
    assert "Does not fit: layer" in out and "smallest change that fits" in out


def test_map_refuses_what_it_cannot_read(run: Run, trained: Path) -> None:
    check_refused(run, ("map", "none.program"), "no such file")
    check_refused(run, ("map", str(trained / "m.program"), "--chip", "x"), "loihi1, loihi2")
    check_refused(run, ("map", str(trained / "m.program"), "--figure", "a.txt"), "PNG")
