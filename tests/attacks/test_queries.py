"""Attacks by queries, on a Program and on events."""

import pytest
import torch
from torch import nn

from stochi.attacks import PGD, GreedySpikes, HopSkipJump, ProgramModel, Square
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.program import Program
from stochi.sim import run
from tests.conftest import conv_net, dense_net


def image_program() -> Program:
    return lower(to_nir(conv_net(), torch.rand(1, 2, 8, 8)))


def test_a_program_draws_anew_and_counts() -> None:
    program, x = image_program(), torch.rand(5, 2, 8, 8)
    model = ProgramModel(program, seed=9)
    for trial in range(2):
        assert torch.equal(model(x), run(program, x, seed=9, trial=trial).logits)
    assert model.queries == 10 and model.calls == 2


@pytest.mark.lava
def test_lava_answers_as_the_engine_does() -> None:
    program, x = image_program(), torch.rand(2, 2, 8, 8)
    assert torch.equal(ProgramModel(program, 9)(x), ProgramModel(program, 9, backend="lava")(x))


@pytest.mark.parametrize(
    "attack",
    [
        Square(0.1, iterations=4, draws=2),
        HopSkipJump(0.1, iterations=1, directions=5, starts=5, draws=2),
    ],
    ids=["Square", "HopSkipJump"],
)
def test_query_attacks_run_on_a_program(attack: Square | HopSkipJump) -> None:
    x, y = torch.rand(3, 2, 8, 8), torch.arange(3)
    program = image_program()
    model = ProgramModel(program, seed=9)
    found = attack(model, x, y)
    assert float((found - x).abs().max()) <= 0.1 + 1e-6 and model.queries > 0
    assert torch.equal(found, attack(ProgramModel(program, seed=9), x, y))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"seed": -1}, "seed is -1"), ({"backend": "gpu"}, "backend is 'gpu'"), ({}, "a Program is")],
)
def test_a_program_model_is_checked_when_it_is_made(change: dict, message: str) -> None:
    net = dense_net()
    program = lower(to_nir(net, torch.rand(1, 1, 4, 4))) if change else net
    with pytest.raises(InputError, match=message):
        ProgramModel(program, **{"seed": 0, **change})  # type: ignore[arg-type]


def test_a_program_has_no_gradient_and_the_error_names_the_twin() -> None:
    with pytest.raises(InputError, match="twin_of"):
        PGD(0.1)(ProgramModel(image_program(), 9), torch.rand(1, 2, 8, 8), torch.zeros(1).long())


class Weighted(nn.Module):
    """A model in which each event adds its weight to the wrong class."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        wrong = (events * self.weight[:, None]).flatten(2).sum((0, 2))
        return torch.stack([torch.zeros_like(wrong), wrong], 1)


def test_the_flips_that_matter_most_are_found() -> None:
    weight = -torch.rand(3, 4)
    weight[1, 2] = 3.0
    weight[2, 0] = -5.0
    events = torch.zeros(3, 1, 4)
    events[2, 0, 0] = events[0, 0, 1] = 1
    label = torch.zeros(1).long()
    found = GreedySpikes(1, draws=1)(Weighted(weight), events, label)
    assert (found != events).nonzero().tolist() == [[2, 0, 0]]
    found = GreedySpikes(2, draws=1)(Weighted(weight), events, label)
    # The second flip makes the answer wrong, so a larger budget does not make a third one.
    assert (found != events).nonzero().tolist() == [[1, 0, 2], [2, 0, 0]]
    assert torch.equal(found, GreedySpikes(1, draws=1)(Weighted(weight), events, label, 12))


def test_no_flip_that_helps_the_model_is_made() -> None:
    events = torch.zeros(3, 1, 4)
    found = GreedySpikes(5, draws=1)(Weighted(-torch.ones(3, 4)), events, torch.zeros(1).long())
    assert torch.equal(found, events)


def test_flips_on_a_program_keep_to_the_budget_and_repeat() -> None:
    net = dense_net(4)
    net.events = True
    events = (torch.rand(4, 3, 1, 4, 4) < 0.4).float()
    program = lower(to_nir(dense_net(4), events[0, :1]), events=True)
    labels = run(program, events, seed=1).predictions()
    attack = GreedySpikes(3, candidates=20, draws=3)
    found = attack(ProgramModel(program, 9), events, labels)
    assert torch.equal(found, attack(ProgramModel(program, 9), events, labels))
    assert bool(((found == 0) | (found == 1)).all())
    flipped = (found != events).flatten(2).sum((0, 2))
    assert int(flipped.max()) <= 3 and int(flipped.sum()) > 0
    assert attack(net, events, labels).shape == events.shape


@pytest.mark.parametrize("budget", [-1, 1.5, float("nan")])
def test_flips_are_counted(budget: float) -> None:
    with pytest.raises(InputError):
        GreedySpikes(3)(
            Weighted(torch.ones(3, 4)), torch.zeros(3, 1, 4), torch.zeros(1).long(), budget
        )


@pytest.mark.parametrize("events", [torch.rand(3, 1, 4), torch.zeros(3, 1)])
def test_inputs_that_are_not_events_raise(events: torch.Tensor) -> None:
    with pytest.raises(InputError, match="exactly 0 or 1"):
        GreedySpikes(3)(Weighted(torch.ones(3, 4)), events, torch.zeros(1).long())


def test_errors_on_images_and_events_name_the_attacks_to_use() -> None:
    model, images, labels = nn.Flatten(), torch.rand(6, 1, 4, 4), torch.arange(6)
    events = torch.zeros(4, 6, 1, 4, 4)
    with pytest.raises(InputError, match=r"\(4, 6, 1, 4, 4\).*PGD takes images.*GreedySpikes"):
        PGD(0.1)(model, events, labels)
    with pytest.raises(InputError, match=r"\(6, 1, 4, 4\).*takes events of shape.*use PGD"):
        GreedySpikes(3)(model, images, labels)
    with pytest.raises(InputError, match=r"\[0\.\d+, \d.*takes events of shape.*use PGD"):
        GreedySpikes(3)(model, images[:1].transpose(0, 1).expand(1, 6, 4, 4), labels)


def test_attacks_on_images_raise_on_a_program_of_events() -> None:
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)), events=True)
    frames = (torch.rand(3, 1, 4, 4) < 0.4).float()
    with pytest.raises(InputError, match=r"takes events, .* use GreedySpikes"):
        Square(0.1, iterations=1)(ProgramModel(program, 9), frames, torch.arange(3))
    assert ProgramModel(program, 9)(frames).shape == (3, 3)
