"""Versions: Stochi has one without being installed, as in a checkout on PYTHONPATH."""

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

import stochi
from stochi.attacks import FGSM
from stochi.data import Images
from stochi.packages import VERSION, version_of
from stochi.parity import check_parity
from tests.conftest import dense_net


def test_the_version_is_the_package_s() -> None:
    assert stochi.__version__ == VERSION == version_of("stochi")


def test_nothing_needs_an_installed_stochi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = metadata.distribution

    def others(name: str) -> Any:
        if name == "stochi":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(metadata, "distribution", others)
    assert version_of("stochi") is None
    net, images = dense_net(), torch.rand(3, 1, 4, 4)
    program = stochi.deploy.lower(stochi.export.to_nir(net, images))
    report = check_parity(
        *(net, program, Images(images, torch.arange(3) % 2)),
        **{"attacks": [FGSM(0.1)], "trials": 2, "exact_images": 1, "lava": False},  # type: ignore[arg-type]
        keep=tmp_path / "kept",
    )
    assert report.run is not None and report.run.versions["stochi"] == VERSION
    pytest.importorskip("onnx")
    assert stochi.export.to_onnx(program).producer_version == VERSION
