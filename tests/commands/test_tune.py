"""The advice of ``stochi tune``, which the commands must understand."""

import re
import shlex
from pathlib import Path

import pytest

from stochi.commands.tune import deploy_options
from stochi.deploy import Program
from tests.commands.conftest import Run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made_with", "advised"),
    [
        ([], "--noise decay --bits 8"),
        (["--bits", "3"], "--noise decay --bits 3"),
        (["--noise", "none"], "--noise none"),
        (["--random-source", "lfsr"], "--noise decay --bits 8 --random-source lfsr"),
        (["--noise", "current", "--images", "4"], "--noise current --fitted p.program"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_the_advised_options_give_the_same_program_again(
    run: Run,
    trained: Path,
    made_with: list[str],
    advised: str,
) -> None:
    deploy = ("deploy", str(trained / "m.nir"), "--out")
    assert run(*deploy, "p.program", *made_with)[0] == 0
    options = " ".join(deploy_options(Program.load("p.program"), Path("p.program")))
    assert options == advised
    assert run(*deploy, "again.program", *shlex.split(options))[0] == 0
    assert Path("again.program").read_bytes() == Path("p.program").read_bytes()


def test_the_advice_leads_to_a_comparison(run: Run, trained: Path) -> None:
    """The commands of the last line, with their default outputs in place of the placeholders."""
    net = str(trained / "m.pt")
    status, out, _ = run("tune", net, str(trained / "m.program"), "--epochs", "1")
    assert status == 0 and out.startswith("Wrote runs/m_tuned.pt. Next: ")
    advised = [shlex.split(words) for words in re.findall(r"stochi ([^,\n]*)", out)]
    assert [words[0] for words in advised] == ["export", "deploy", "parity"]
    outputs = {"GRAPH": "runs/m_tuned.nir", "TUNED_PROGRAM": "runs/m_tuned.program"}
    quick = ("--no-lava", "--trials", "1", "--exact", "8", "--epsilon", "0", "--images", "8")
    for words in advised:
        followed = [outputs.get(word, word) for word in words]
        status, out, err = run(*followed, *(quick if words[0] == "parity" else ()))
        assert status == 0, err
    assert "\n0 mismatches in" in out
