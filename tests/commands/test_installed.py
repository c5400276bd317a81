"""What ``stochi doctor`` advises."""

import pytest

from stochi.commands import installed


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
