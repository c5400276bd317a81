"""What the snippets of each page take for granted, or why a snippet is not run."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import stochi
from stochi.train import RandomTauLeaky, RepeatSteps, TrainingConfig

TIME_STEPS = 3
Names = dict[str, Any]
Preparation = Callable[[pytest.MonkeyPatch], Names] | str | None
"""Names for a snippet; a reason not to run it; None: it goes on where the one before ended."""


def build(time_steps: int = TIME_STEPS, events: bool = False) -> RepeatSteps:
    """Build a small network that draws its τ, for 64 inputs."""
    layers = (
        torch.nn.Flatten(),
        torch.nn.Linear(64, 12),
        RandomTauLeaky(init_hidden=True),
        torch.nn.Linear(12, 10),
    )
    return RepeatSteps(torch.nn.Sequential(*layers), time_steps, events)


def nothing(_: pytest.MonkeyPatch) -> Names:
    """Return no names: the snippet stands alone."""
    return {}


def on_images(_: pytest.MonkeyPatch) -> Names:
    """Return a network, its Program, and a few digits."""
    samples = stochi.data.load_digits()[0].first(64)
    model, images = build().eval(), samples.first(4)
    program = stochi.deploy.lower(stochi.export.to_nir(model, images.inputs))
    return {
        **{"stochi": stochi, "build": build, "config": TrainingConfig(epochs=1)},
        **{"model": model, "network": model, "program": program},
        **{"samples": samples, "images": images, "sample": images.inputs},
    }


def on_another_range(_: pytest.MonkeyPatch) -> Names:
    """Return a network and inputs in [-4, 4]."""
    return {"torch": torch, "stochi": stochi, "net": build().eval(), "x": 8 * torch.rand(9, 64) - 4}


def on_rates(patch: pytest.MonkeyPatch) -> Names:
    """Return a network of 20 time steps, and its Program for events."""
    network = build(time_steps=20, events=True).eval()
    graph = stochi.export.to_nir(network, (torch.rand(20, 2, 1, 8, 8) < 0.2).float())
    return {
        "stochi": stochi,
        "network": network,
        "program": stochi.deploy.lower(graph, events=True),
    }


def on_events(_: pytest.MonkeyPatch) -> Names:
    """Return a network, its Program for events, two recordings, and an attack on them."""
    model, events = build(events=True).eval(), (torch.rand(TIME_STEPS, 2, 1, 8, 8) < 0.2).float()
    program = stochi.deploy.lower(stochi.export.to_nir(model, events), events=True)
    attack = stochi.attacks.SparseGradient(stochi.attacks.EventBudget(4))
    names = {"model": model, "program": program, "events": events, "attack": attack}
    return {"stochi": stochi, "labels": torch.tensor([3, 5]), **names}


def in_training(_: pytest.MonkeyPatch) -> Names:
    """Return samples to train on for one epoch."""
    samples = stochi.data.load_digits()[0].first(64)
    config = TrainingConfig(epochs=1)
    names = {"samples": samples, "images": samples, "model": build().eval()}
    return {"build": build, "config": config, **names}


def with_runtime(patch: pytest.MonkeyPatch) -> Names:
    """Return the names of `on_images`, and the libraries that run a model of ONNX."""
    numpy, runtime = pytest.importorskip("numpy"), pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    names = on_images(patch)
    images = names["images"].inputs.numpy()
    return {**names, "np": numpy, "onnxruntime": runtime, "images": images}


def without_the_hours(patch: pytest.MonkeyPatch) -> Names:
    """Leave the study itself out, which takes minutes to hours: its plan is made and checked."""
    cell = SimpleNamespace(accuracy=SimpleNamespace(value=0.5), success=SimpleNamespace(value=0.5))
    results = SimpleNamespace(table=[cell], attacks=[cell])
    patch.setattr(stochi.study, "conduct", lambda plan, *_, **__: results, raising=False)
    patch.setattr(stochi.study, "conduct_events", lambda plan, *_, **__: results, raising=False)
    return {}


def with_reports(patch: pytest.MonkeyPatch) -> Names:
    """Leave the files of two reports out, which are made here."""
    pytest.importorskip("pandas")
    names = on_images(patch)
    sides = names["model"], names["program"], names["images"]
    report = stochi.parity.check_parity(*sides, trials=1, exact_images=1, lava=False)
    patch.setattr(stochi.parity, "load_reports", lambda paths: {p: report for p in paths})
    return {"stochi": stochi}


NMNIST = "needs N-MNIST's files, which are not in the repository"

SNIPPETS: dict[str, list[Preparation]] = {
    "README.md": ["tests/test_readme.py runs it, and looks at what it found"],
    "docs/attacks.md": [on_images, on_events, NMNIST],
    "docs/cluster.md": [without_the_hours],
    "docs/data.md": [on_another_range, on_rates, NMNIST],
    "docs/defences.md": [in_training, nothing, nothing, in_training, on_events],
    "docs/event_study.md": [without_the_hours],
    "docs/extending.md": [on_images, nothing],
    "docs/onnx.md": [with_runtime, None],
    "docs/own.md": ["tests/pages/test_own_page.py runs it, and the commands on its files"],
    "docs/report.md": [with_reports],
    "docs/study.md": [without_the_hours, without_the_hours],
    "docs/ten_minutes.md": [nothing, *[None] * 6],
    "docs/training.md": [in_training, in_training],
}
SLOW = {"docs/ten_minutes.md"}
SHOWN = {"docs/ten_minutes.md"}
"""Pages whose blocks without a language are what their snippets print, but for the numbers."""
