"""A random model as an estimator for ART's gradient attacks; import after ``require_art()``."""

from typing import Any

import numpy as np
import torch
from art.estimators.classification.classifier import ClassifierMixin
from art.estimators.estimator import BaseEstimator, LossGradientsMixin
from torch import nn

from stochi.attacks.expectation import answers, expected_gradient
from stochi.attacks.objectives import Objective


class ExpectedEstimator(LossGradientsMixin, ClassifierMixin, BaseEstimator):
    """Estimator whose loss and gradient are an objective's over ``draws`` runs in one batch.

    ART's own PyTorchClassifier evaluates a model once, and its DLR divides by zero if logits are
    equal. ``predict`` reports every image as right, because ART's attacks skip an image that is
    wrong when they ask, and a random model may be right the next time.
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
        """Shape of one image."""
        return tuple(self.like.shape[1:])

    def predict(self, x: np.ndarray, **options: Any) -> np.ndarray:
        """Return (batch, classes) scores, not probabilities, for which every image is right."""
        labels = self.labels[: len(x)].cpu().numpy()
        return 2 * np.eye(self.nb_classes, dtype=np.float32)[labels]

    def compute_loss(self, x: np.ndarray, y: np.ndarray, **options: Any) -> np.ndarray:
        """Return the objective, (batch,), for one-hot ``y``."""
        with torch.no_grad():
            logits = answers(self.model, self._tensor(x), self.draws)
            return self.objective(logits, self._classes(y)).cpu().numpy()

    def loss_gradient(self, x: np.ndarray, y: np.ndarray, **options: Any) -> np.ndarray:
        """Return the objective's gradient, of the shape of ``x``, for one-hot ``y``."""
        images, labels = self._tensor(x), self._classes(y)
        found = expected_gradient(self.model, images, labels, self.draws, self.objective)
        return found.cpu().numpy()

    def fit(self, x: np.ndarray, y: np.ndarray, **options: Any) -> None:
        """Raise NotImplementedError: attacks do not train."""
        raise NotImplementedError

    def _tensor(self, x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(x).to(self.like)

    def _classes(self, y: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(y.argmax(1)).to(self.like.device)
