"""Our attacks beside those of the adversarial robustness toolbox (ART), at equal cost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stochi.attacks import APGD, PGD, HopSkipJump, ImageAttack, Square
from stochi.attacks.expectation import answers
from stochi.statistics.intervals import estimate_difference
from tests.attacks.trained import relu_net, right_answers, some_images, trained_net

# Imported by the tests only: ART writes a file at its first import, and two processes that collect
# tests at the same time may find it half there.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("art") is None, reason="ART is not installed"),
]
IMAGES = 80
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: trained_net("mean"),
    "random": lambda: trained_net("step"),
    "defended": lambda: trained_net("mean", defended=True),
    "ReLU": relu_net,
}


class MeanAnswer(nn.Module):
    """The logits' mean over draws, which ART's own classifier can evaluate."""

    def __init__(self, model: nn.Module, draws: int) -> None:
        super().__init__()
        self.model, self.draws = model, draws

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return answers(self.model, images.float(), self.draws).mean(0)


@contextmanager
def numpy_seeded() -> Iterator[None]:
    """Seed numpy's global generator, from which ART draws, and restore it."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)


def run_art(network: str, draws: int, name: str, images: int, **options: Any) -> torch.Tensor:
    """Run an attack of ART with ε = 0.1 on digits."""
    from art.attacks import evasion
    from art.estimators.classification import PyTorchClassifier

    shown = some_images(images)
    model = MeanAnswer(NETWORKS[network](), draws)
    classifier = PyTorchClassifier(
        model, nn.CrossEntropyLoss(), (1, 8, 8), 10, clip_values=(0.0, 1.0), device_type="cpu"
    )
    attack = getattr(evasion, name)(classifier, verbose=False, **options)
    with numpy_seeded():
        return torch.from_numpy(attack.generate(shown.inputs.numpy(), shown.labels.numpy())).float()


def lost_to(network: str, theirs: torch.Tensor, ours: ImageAttack) -> float:
    """Return by how much ART's images leave less right, the low end of the paired interval."""
    model, shown = NETWORKS[network](), some_images(len(theirs))
    found = ours(model, shown.inputs, shown.labels)
    right = [right_answers(model, images, shown.labels) for images in (theirs, found)]
    return estimate_difference(*right).low


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("name", "options", "ours"),
    [
        (
            "ProjectedGradientDescent",
            {"eps_step": 0.025, "num_random_init": 1, "max_iter": 10},
            PGD(0.1, iterations=10),
        ),
        (
            "AutoProjectedGradientDescent",
            {"eps_step": 0.2, "nb_random_init": 1, "max_iter": 10, "loss_type": "cross_entropy"},
            APGD(0.1, iterations=10),
        ),
        (
            "AutoProjectedGradientDescent",
            {
                "eps_step": 0.2,
                "nb_random_init": 2,
                "max_iter": 20,
                "loss_type": "difference_logits_ratio",
            },
            APGD(0.1, iterations=20, loss="dlr", restarts=2),
        ),
    ],
    ids=["PGD", "APGD-CE", "APGD-DLR"],
)
def test_gradient_attacks(name: str, options: dict, ours: ImageAttack, network: str) -> None:
    """ART evaluates a model twice in an iteration of APGD, ours once."""
    theirs = run_art(
        network, ours.recipe.draws, name, IMAGES, eps=0.1, batch_size=IMAGES, **options
    )
    assert float((theirs - some_images(IMAGES).inputs).abs().max()) <= 0.1 + 1e-6
    assert lost_to(network, theirs, ours) <= 0


@pytest.mark.parametrize("network", NETWORKS)
def test_square(network: str) -> None:
    theirs = run_art(
        network, 5, "SquareAttack", 40, eps=0.1, max_iter=200, norm=np.inf, batch_size=40
    )
    assert lost_to(network, theirs, Square(0.1, iterations=200, draws=5)) <= 0


def test_hop_skip_jump() -> None:
    shown, model = some_images(20), relu_net()
    theirs = run_art(
        "ReLU", 1, "HopSkipJump", 20, norm=np.inf, max_iter=5, init_eval=50, max_eval=500
    )
    attack = HopSkipJump(1.0, iterations=5, directions=50, draws=1)
    start, usable = attack.find_starts(
        model, shown.inputs, shown.labels, torch.Generator().manual_seed(0)
    )
    ours = attack.walk(
        model,
        shown.inputs[usable],
        shown.labels[usable],
        start[usable],
        torch.Generator().manual_seed(0),
    )
    far, near = (
        (found - shown.inputs[usable]).abs().flatten(1).amax(1).median()
        for found in (theirs[usable], ours)
    )
    assert near <= 1.1 * far
