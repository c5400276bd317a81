"""Results as they are evaluated from answers."""

import pytest
import torch

from stochi.study.evaluation import _difference_cell
from stochi.study.victims import Victim


def test_a_difference_is_of_the_images_that_both_have() -> None:
    many, few = torch.rand(3, 100).double(), torch.rand(3, 20).double()
    cell = _difference_cell(Victim(), "decay", "clean", many, few)
    of_trainings = (few - many[:, :20]).mean(1)
    assert cell.difference.images == 20 and cell.over_trainings is not None
    for estimate in (cell.difference, cell.over_trainings):
        assert estimate.value == pytest.approx(float(of_trainings.mean()))
    assert cell.over_trainings.trial_spread == pytest.approx(float(of_trainings.std()))
