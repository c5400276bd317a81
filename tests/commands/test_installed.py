"""What ``stochi doctor`` advises."""

import re
from pathlib import Path

import pytest

from stochi.commands import installed

ROOT = Path(__file__).resolve().parents[2]
TOLD_ELSEWHERE = {"lava"}
"""The extra of a back end, which the table of back ends tells about."""
FOR_DEVELOPERS = {"browser", "docs", "dev"}


def test_versions_that_do_not_fit_and_missing_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        installed.metadata,
        "requires",
        lambda name: [
            "torch>=2.9",
            "numpy>=1.26",
            "scipy>=1.11",
            'tomli>=2; python_version < "3"',
            'networkx<=2.8.7; extra == "lava"',
            'onnx>=1.18; extra == "onnx"',
            'onnxruntime>=1.20; extra == "onnx"',
            'pytest>=8; extra == "dev"',
        ],
    )
    there = {"torch": "2.9.1+cpu", "numpy": "1.20", "networkx": "3.1", "onnx": "1.18"}
    monkeypatch.setattr(installed, "version_of", there.get)
    assert installed.find_advice() == [
        "numpy 1.20 does not fit; type: pip install 'numpy>=1.26'",
        "scipy is missing; type: pip install 'scipy>=1.11'",
        "networkx 3.1 does not fit; type: pip install 'networkx<=2.8.7'",
        "onnxruntime for ONNX models: pip install 'stochi[onnx]'",
    ]
    there |= {"numpy": "2.0", "scipy": "1.11", "networkx": "2.8.7", "onnxruntime": "1.20"}
    assert installed.find_advice() == []


def test_every_extra_is_advised_or_for_those_who_develop() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = settings.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", section, re.MULTILINE))
    assert extras == set(installed.EXTRAS) | TOLD_ELSEWHERE | FOR_DEVELOPERS


def test_the_torch_that_doctor_names_is_the_pinned_one() -> None:
    pins = (ROOT / "requirements/constraints.txt").read_text(encoding="utf-8")
    source = (ROOT / "stochi/commands/doctor.py").read_text(encoding="utf-8")
    named = re.findall(r"pip install (torch==[\d.]+)", source)
    assert named and all(f"\n{one}\n" in pins or f"\n{one} " in pins for one in named)
