"""What importing must not do."""

import subprocess
import sys

import pytest


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd="/", timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_deploying_and_simulating_need_neither_snntorch_nor_lava() -> None:
    assert (
        python(
            "import sys; from stochi.deploy import calibrate, lower; from stochi.sim import run;"
            "print([m for m in ('snntorch', 'lava') if m in sys.modules])"
        )
        == "[]"
    )


def test_attacks_bring_in_neither_snntorch_nor_art() -> None:
    code = (
        "import sys; from stochi.attacks import PGD, AutoAttack, GreedySpikes, HopSkipJump, Square;"
        "from stochi.attacks import make_attack;"
        "print([m for m in ('snntorch', 'art') if m in sys.modules])"
    )
    assert python(code) == "[]"


def test_stages_come_when_they_are_asked_for() -> None:
    assert (
        python(
            "import stochi; print(stochi.deploy.Program.__name__, stochi.export.to_nir.__name__,"
            " stochi.train.RandomTauLeaky.__name__, stochi.parity.check_parity.__name__)"
        )
        == "Program to_nir RandomTauLeaky check_parity"
    )
    assert python("import stochi; print(hasattr(stochi, 'nothing'))") == "False"


@pytest.mark.parametrize("name", ["train", "export", "deploy", "sim"])
def test_the_folders_are_no_packages_of_their_own(name: str) -> None:
    code = f"import importlib.util; print(importlib.util.find_spec('{name}'))"
    assert python(code) == "None"


def test_importing_draws_nothing() -> None:
    assert (
        python(
            "import torch, stochi; before = torch.get_rng_state();"
            "packages = [getattr(stochi, name) for name in stochi.__all__];"
            "loaded = [getattr(p, name) for p in packages for name in p.__all__];"
            "print(len(loaded) > 50 and torch.equal(before, torch.get_rng_state()))"
        )
        == "True"
    )
