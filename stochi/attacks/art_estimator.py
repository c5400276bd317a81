"""A random model as ART's gradient attacks see it. Import it only after ``require_art()``."""

from typing import Any

import numpy as np
import torch
from art.estimators.classification.classifier import ClassifierMixin
from art.estimators.estimator import BaseEstimator, LossGradientsMixin
from torch import nn

from stochi.attacks.expectation import answers, expected_gradient
from stochi.attacks.objectives import Objective


class ExpectedEstimator(LossGradientsMixin, ClassifierMixin, BaseEstimator):
    """Loss and gradient are those of an objective over ``draws`` runs, side by side in one batch.

    ART's own PyTorchClassifier evaluates a model once, and its DLR divides by zero where logits
    are equal. ``predict`` calls every image right: ART's attacks leave an image alone that is
    wrong when they ask, but a random model may be right the next time.
    """

    estimator_params = BaseEstimator.estimator_params

    def __init__(
        self,
        model: nn.Module,
        like: torch.Tensor,
        labels: torch.Tensor,
        draws: int,
        objective: Objective,
    ) -> None:
        super().__init__(model=model, clip_values=(0.0, 1.0), preprocessing=None)
        self.like, self.labels, self.draws, self.objective = like, labels, draws, objective
        with torch.no_grad():
            self.nb_classes = answers(model, like[:1], 1).shape[2]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one image."""
        return tuple(self.like.shape[1:])

    def predict(self, x: np.ndarray, **options: Any) -> np.ndarray:
        """(batch, classes) scores by which every image is right; not probabilities."""
        labels = self.labels[: len(x)].cpu().numpy()
        return 2 * np.eye(self.nb_classes, dtype=np.float32)[labels]

    def compute_loss(self, x: np.ndarray, y: np.ndarray, **options: Any) -> np.ndarray:
        """(batch,) the objective; ``y`` one-hot."""
        with torch.no_grad():
            logits = answers(self.model, self._tensor(x), self.draws)
            return self.objective(logits, self._classes(y)).cpu().numpy()

    def loss_gradient(self, x: np.ndarray, y: np.ndarray, **options: Any) -> np.ndarray:
        """The objective's gradient, of the shape of ``x``; ``y`` one-hot."""
        images, labels = self._tensor(x), self._classes(y)
        found = expected_gradient(self.model, images, labels, self.draws, self.objective)
        return found.cpu().numpy()

    def fit(self, x: np.ndarray, y: np.ndarray, **options: Any) -> None:
        """Not of any use here."""
        raise NotImplementedError

    def _tensor(self, x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(x).to(self.like)

    def _classes(self, y: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(y.argmax(1)).to(self.like.device)
