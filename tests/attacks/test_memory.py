"""Models that remember, answer in other forms, or have no gradients."""

import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.attacks import FGSM, PGD, ProgramModel, Square
from stochi.attacks.masking import find_zero_gradients, zero_gradients
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.train import FreshDraws, RepeatSteps, make_twin
from tests.conftest import dense_net

IMAGES = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(6) % 3


class Forgetful(nn.Module):
    """It steps its neurons, of any kind, and resets them or not."""

    def __init__(self, neuron: nn.Module, resets: bool) -> None:
        super().__init__()
        self.fc, self.neuron, self.resets = nn.Linear(16, 3), neuron, resets

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.resets:
            self.neuron.reset_mem()  # type: ignore[operator]
        out = [self.neuron(self.fc(images.flatten(1)) * 2) for _ in range(4)]
        return torch.stack(out).mean(0) + 0.1 * self.fc(images.flatten(1))


NEURONS = {
    "Leaky": lambda: snn.Leaky(0.9, init_hidden=True),
    "Synaptic": lambda: snn.Synaptic(0.9, 0.9, init_hidden=True),
    "RLeaky": lambda: snn.RLeaky(0.9, all_to_all=False, V=0.1, init_hidden=True),
    "Alpha": lambda: snn.Alpha(0.9, 0.8, init_hidden=True),
}


@pytest.mark.parametrize("name", NEURONS)
def test_a_model_that_remembers_is_refused(name: str) -> None:
    model = Forgetful(NEURONS[name](), resets=False).eval()
    with torch.no_grad():
        model.fc.weight.abs_().div_(8)
    for attack in (FGSM(0.1, draws=1), PGD(0.1, iterations=2, draws=1), Square(0.1, iterations=3)):
        with pytest.raises(InputError, match="depends on the calls before"):
            attack(model, IMAGES, LABELS)
    FGSM(0.1, draws=1)(Forgetful(NEURONS[name](), resets=True).eval(), IMAGES, LABELS)


def test_models_that_draw_are_not_taken_for_ones_that_remember() -> None:
    net = dense_net()
    program = lower(to_nir(net, IMAGES[:1]))
    for model in (net, FreshDraws(make_twin(net, IMAGES[:1]), 3), ProgramModel(program, 3)):
        Square(0.1, iterations=3)(model.eval(), IMAGES, LABELS)
    RepeatSteps(nn.Linear(2, 2))


class Answering(nn.Module):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.fc, self.form = nn.Linear(16, 3), form

    def forward(self, images: torch.Tensor) -> object:
        given = images.detach() if self.form == "detached" else images
        logits = self.fc(given.flatten(1))
        if self.form == "nan":
            logits = logits + torch.where(logits > 1e9, logits.sqrt(), 0.0)
        return {"list": [logits], "dict": {"logits": logits}}.get(self.form, logits)


@pytest.mark.parametrize("form", ["list", "dict"])
def test_answers_in_other_forms_are_one_sentence(form: str) -> None:
    with pytest.raises(InputError, match=f"answers with a {form}; an attack needs"):
        FGSM(0.1, draws=1)(Answering(form).eval(), IMAGES, LABELS)


def test_an_answer_that_no_input_reaches_is_one_sentence_and_a_finding() -> None:
    model = Answering("detached").eval()
    with pytest.raises(InputError, match="no gradient with respect to its input"):
        PGD(0.1, iterations=2, draws=1)(model, IMAGES, LABELS)
    shares = zero_gradients(model, IMAGES, LABELS, 1)
    assert find_zero_gradients(shares)[0].value == 1.0


def test_gradients_that_are_not_numbers_are_a_finding() -> None:
    model = Answering("nan").eval()
    with torch.no_grad():
        model.fc.weight.mul_(-1).sub_(5)
    shares = zero_gradients(model, IMAGES, LABELS, 1)
    assert find_zero_gradients(shares)[0].value == 1.0
    attacked = PGD(0.1, iterations=2, draws=1)(model, IMAGES, LABELS)
    assert bool(torch.isfinite(attacked).all())
