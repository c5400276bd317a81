"""Messages about options name them as the command line does, and say what the command does."""

from pathlib import Path

import pytest

from tests.commands.conftest import Run, check_refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("parity", "--seed", "9" * 20), "--seed is 99999999999999999999; it must be from 0 to 42"),
        (("parity", "--seed", "9" * 90), "--seed is a number of 299 bits; it must be from 0 to 42"),
        (("parity", "--seed", "4294967295"), "from 0 to 4294967294, since the next seed is used"),
        (
            ("parity", "--seed", "2147483647"),
            "--seed is 2147483647; the next one is the attacker's",
        ),
        (("attack", "--seed", "9" * 20), "--seed is 99999999999999999999; it must be from 0 to 42"),
        (("attack", "--seed", "2147483648"), "--seed is 2147483648; that is the attacker's"),
        (("parity", "--attack-images", "0"), "it must be at least 1, and is 128 if left out"),
        (("parity", "--exact", "0"), "--exact is 0; it must be at least 1"),
        (("parity", "--trials", "0"), "--trials is 0; at least 1 is needed"),
        (("parity", "--flips", "-1"), "--flips is -1; it must be a whole number"),
        (("attack", "--flips", "-1"), "--flips is -1; it must be a whole number"),
        (("attack", "--max-delay", "-1"), "--max-delay is -1; it must be a whole number"),
        (("attack", "--attack-images", "0"), "--attack-images is 0; leave it out to attack all"),
    ],
)
def test_mistakes_in_a_comparison(
    run: Run, trained: Path, words: tuple[str, ...], message: str
) -> None:
    command, *others = words
    given = (command, f"{trained}/m.pt", f"{trained}/m.program", "--images", "4", *others)
    check_refused(run, given, message)


def test_mistakes_elsewhere(run: Run) -> None:
    for words, message in (
        (("train", "--learning-rate", "-1"), "stochi: --learning-rate is -1.0; it must be at"),
        (("train", "--neuron", "noisy", "--noise-std", "1e9"), "stochi: --noise-std is 1e+09;"),
        (("demo", "--seed", "4294967295"), "--seed is 4294967295; it must be from 0 to 4294967294"),
    ):
        check_refused(run, words, message)


def test_values_that_nobody_gave_are_not_blamed_on_options(run: Run) -> None:
    Path("net.py").write_text(
        "from stochi.errors import InputError\ndef net():\n    raise InputError('dt is wrong')\n"
    )
    status, _, err = run("export", "net.py:net", "--shape", "1,8,8")
    assert status == 2 and "--dt" not in err and "dt is wrong" in err
