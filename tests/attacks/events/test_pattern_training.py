"""Training of patterns, and the rates at which they fool."""

import pytest
import torch
from torch import nn

from stochi.attacks import (
    EventBudget,
    EventPattern,
    NoiseSearch,
    Offsets,
    PatternForm,
    PatternTraining,
    ProgramModel,
    fooling_rate,
    random_like,
    search_noise,
    train_patch,
    train_universal,
)
from stochi.attacks.events.offsets import shifted_by
from stochi.attacks.events.patch import patch_form
from stochi.attacks.events.procedural import GaborNoise, PerlinNoise
from stochi.attacks.events.procedural_search import SEARCH_APART
from stochi.data import Streams
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.train import FreshDraws, twin_of
from tests.attacks.events.toy import SIDE, STEPS, TwoSides, toy_net, toy_samples

QUICK = PatternTraining(iterations=15, batch=20, draws=2, surrogates="own")
BUDGET, SHIFTS = EventBudget(count=30, refractory=2), shifted_by(1, 0)
TRAINING, UNSEEN = toy_samples(120, seed=0), toy_samples(100, seed=1)


@pytest.mark.parametrize("random", [False, True], ids=["plain", "random"])
def test_a_universal_pattern_beats_random_ones_of_its_budget(random: bool) -> None:
    net = toy_net(random)
    pattern = train_universal(net, TRAINING, BUDGET, offsets=SHIFTS, training=QUICK)
    trained = fooling_rate(net, pattern, UNSEEN, trials=4)
    others = [fooling_rate(net, random_like(pattern, seed), UNSEEN, trials=4) for seed in range(3)]
    assert len(random_like(pattern, 0).events) == len(pattern.events) <= 30
    assert trained.rate.low > max(other.rate.high for other in others)
    assert trained.rate.low > trained.without.high
    assert random or trained.without.value == 0


def test_a_patch_beats_random_ones_and_stays_in_its_window() -> None:
    net = toy_net()
    options = {"side": 4, "place": (2, 2), "occludes": True}
    pattern = train_patch(net, TRAINING, **options, training=QUICK)
    random = fooling_rate(net, random_like(pattern, 0), UNSEEN)
    assert fooling_rate(net, pattern, UNSEEN).rate.low > random.rate.high
    attacked = pattern.apply(UNSEEN.inputs, seed=5)
    assert pattern.budget.holds(UNSEEN.inputs, attacked).all()


class Valley(nn.Module):
    """A model that many events fool, and that few events make surer of itself."""

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        count = events[:, :, 1].sum((0, 2, 3))
        return torch.stack([torch.zeros_like(count), count * (count - 20) - 1], 1)


def test_a_pattern_is_found_on_the_other_side_of_a_valley() -> None:
    empty = Streams(torch.zeros(3, 20, 2, 6, 6), torch.zeros(20).long())
    pattern = train_universal(Valley(), empty, 60, offsets=Offsets(), training=QUICK)
    assert fooling_rate(Valley(), pattern, empty).rate.value == 1


def test_a_target_is_what_answers_become() -> None:
    net = toy_net()
    training = PatternTraining(iterations=15, batch=20, surrogates="own", target=2)
    pattern = train_universal(net, TRAINING, 40, offsets=Offsets(), training=training)
    random = fooling_rate(net, random_like(pattern, 0), UNSEEN, target=2)
    reached = fooling_rate(net, pattern, UNSEEN, target=2)
    assert reached.rate.low > random.rate.high
    assert reached.rate.images < 0.7 * len(UNSEEN)  # those of the target are left out


def test_a_pattern_is_trained_on_the_twin_and_shown_to_the_chip() -> None:
    net = toy_net()
    program = lower(to_nir(net, TRAINING.inputs[:, :1]), events=True)
    twin = FreshDraws(twin_of(program, net, TRAINING.inputs[:, :1]), seed=1)
    pattern = train_universal(twin, TRAINING, BUDGET, offsets=SHIFTS, training=QUICK)
    chip, float_side = (fooling_rate(m, pattern, UNSEEN, trials=2) for m in (program, net))
    random = fooling_rate(program, random_like(pattern, 0), UNSEEN, trials=2)
    assert chip.rate.low > random.rate.high and float_side.rate.value > random.rate.value
    twin_side = fooling_rate(twin, pattern, UNSEEN, trials=2)
    assert twin_side.rate == chip.rate  # the same integers


def test_training_is_repeatable_and_leaves_the_generators_alone() -> None:
    net, state = toy_net(random=True), torch.random.get_rng_state()
    again = [train_universal(net, TRAINING, 20, training=QUICK) for _ in range(2)]
    assert again[0] == again[1] and torch.equal(torch.random.get_rng_state(), state)
    rates = [fooling_rate(net, again[0], UNSEEN, trials=2) for _ in range(2)]
    assert rates[0] == rates[1] and torch.equal(torch.random.get_rng_state(), state)
    assert fooling_rate(net, again[0], UNSEEN, trials=2, seed=1) != rates[0]


def test_a_fooling_rate_counts_what_it_says() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    frames = torch.zeros(3, 4, 2, 2, 4)
    frames[0, :3, 0, :, 0] = 1  # two events on the left: right answers for three samples
    frames[0, 2, :, :, 1] = 1  # and for the third, four more
    form = PatternForm((2, 4), (3, 2, 2, 4), Offsets(), EventBudget())
    pattern = EventPattern(form, tuple((1, p, y, 3) for p in (0, 1) for y in (0, 1)))
    found = fooling_rate(TwoSides(), pattern, Streams(frames, labels), trials=2)
    # The last sample has no events: the answer is class 0 and wrong, so it does not count.
    assert found.rate.value == pytest.approx(2 / 3) and found.rate.images == 3
    assert found.without.value == 0 and found.samples == 4 and "66.7 %" in str(found)
    targeted = fooling_rate(TwoSides(), pattern, Streams(frames, labels), target=1, trials=1)
    assert targeted.rate.value == pytest.approx(2 / 3)


@pytest.mark.parametrize("noise", [PerlinNoise(4, 3, 1, 2, 1.0), GaborNoise(4, 3, 1, 0.5, 1.0)])
def test_noise_becomes_events_that_keep_the_budget(noise: PerlinNoise | GaborNoise) -> None:
    form = PatternForm((SIDE, SIDE), (STEPS, 2, SIDE, SIDE), shifted_by(1, 1), BUDGET)
    pattern = noise.pattern(form)
    assert len(pattern.events) == BUDGET.count and noise.pattern(form) == pattern
    assert BUDGET.holds(UNSEEN.inputs, pattern.apply(UNSEEN.inputs)).all()
    size = (STEPS, SIDE, SIDE)
    values = noise.values(size, torch.Generator().manual_seed(0))
    smooth = (values[:, :, 1:] - values[:, :, :-1]).abs().mean()
    shuffled = values.flatten()[torch.randperm(values.numel())].view(size)
    assert smooth < (shuffled[:, :, 1:] - shuffled[:, :, :-1]).abs().mean()


def test_gradient_noise_has_its_bound_and_no_mean() -> None:
    values = PerlinNoise(5, 4).values((40, 30, 30), torch.Generator().manual_seed(0))
    assert values.abs().max() < 0.75**0.5  # of unit gradients in three dimensions
    assert values.std() > 0.05 and abs(float(values.mean())) < 0.05


def test_searched_noise_is_chosen_by_answers_alone() -> None:
    net = toy_net()
    program = lower(to_nir(net, TRAINING.inputs[:, :1]), events=True)
    few = NoiseSearch(candidates=4)
    first = TRAINING.first(30)
    found = search_noise(program, first, 30, offsets=Offsets(), search=few)
    assert found == search_noise(program, first, 30, offsets=Offsets(), search=few)
    assert len(found.events) == 30 and "noise" in found.form.title
    more = search_noise(program, first, 30, offsets=Offsets(), search=NoiseSearch(candidates=12))
    seed = few.seed ^ SEARCH_APART
    rates = [fooling_rate(program, p, first, trials=1, seed=seed).rate.value for p in (found, more)]
    assert rates[1] >= rates[0]


def test_a_fooling_rate_has_other_draws_than_the_search_of_the_same_seed() -> None:
    seen: list[torch.Tensor] = []

    class Watched(TwoSides):
        def forward(self, events: torch.Tensor) -> torch.Tensor:
            seen.append(events.clone())
            return super().forward(events)

    frames = torch.zeros(STEPS, 30, 2, SIDE, SIDE)
    frames[0, :, 0, :, 0] = 1
    samples = Streams(frames, torch.zeros(30).long())
    one = NoiseSearch(candidates=1)
    found = search_noise(Watched(), samples, 5, offsets=shifted_by(1, 1), search=one)
    searched = seen[-1]
    fooling_rate(Watched(), found, samples, trials=1)
    assert not torch.equal(seen[-1], searched)
    fooling_rate(Watched(), found, samples, trials=1, seed=one.seed ^ SEARCH_APART)
    assert torch.equal(seen[-1], searched)


def test_wrong_arguments_are_refused() -> None:
    net = toy_net()
    with pytest.raises(InputError, match="has no gradient"):
        program = lower(to_nir(net, TRAINING.inputs[:, :1]), events=True)
        train_universal(ProgramModel(program, 0), TRAINING, 5, training=QUICK)
    with pytest.raises(InputError, match="other than the target"):
        ones = Streams(TRAINING.inputs[:, :3], torch.ones(3).long())
        train_universal(net, ones, 5, training=PatternTraining(target=1))
    with pytest.raises(InputError, match="no samples"):
        empty = Streams(TRAINING.inputs[:, :0], TRAINING.labels[:0])
        train_universal(net, empty, 5)
    with pytest.raises(InputError, match="training a pattern takes events"):
        train_universal(net, Streams(TRAINING.inputs / 2, TRAINING.labels), 5)
    with pytest.raises(InputError, match="none of the 2 samples right"):
        fooling_rate(net, EventPattern(patch_form(UNSEEN, BUDGET)), wrong_samples())
    with pytest.raises(InputError, match="labels go up to 7; the model has 3"):
        train_universal(net, TRAINING, 5, training=PatternTraining(target=7))
    with pytest.raises(InputError, match="labels go up to 7; the model has 3"):
        fooling_rate(net, EventPattern(patch_form(UNSEEN, BUDGET)), UNSEEN, target=7)
    with pytest.raises(InputError, match="the model fails on inputs"):
        fooling_rate(net, EventPattern(patch_form(UNSEEN, BUDGET)), smaller())
    with pytest.raises(InputError, match="the pattern was made for"):
        fooling_rate(TwoSides(), EventPattern(patch_form(UNSEEN, BUDGET)), smaller())
    with pytest.raises(InputError, match="seed is -1"):
        fooling_rate(net, EventPattern(patch_form(UNSEEN, BUDGET)), UNSEEN, seed=-1)
    with pytest.raises(InputError, match="1 to 8"):
        train_patch(net, TRAINING, side=9)
    with pytest.raises(InputError, match="row 0 to 4"):
        train_patch(net, TRAINING, side=4, place=(5, 0))
    with pytest.raises(InputError, match="needs one, to become"):
        search_noise(net, TRAINING, EventBudget())
    with pytest.raises(InputError, match="seed is 4294967296"):
        NoiseSearch(seed=2**32)
    for wrong in ({"iterations": 0}, {"target": -1}, {"seed": -1}, {"held_out": 0}):
        with pytest.raises(InputError):
            PatternTraining(**wrong)  # type: ignore[arg-type]
    for noise in (
        lambda: PerlinNoise(0),
        lambda: GaborNoise(width=-1),
        lambda: PerlinNoise(bands=-1),
    ):
        with pytest.raises(InputError):
            noise()


def smaller() -> Streams:
    """Return samples with fewer pixels."""
    return Streams(UNSEEN.inputs[..., 1:], UNSEEN.labels.clamp_max(1))


def wrong_samples() -> Streams:
    """Return samples with labels that the network does not give them."""
    found = toy_net()(UNSEEN.inputs[:, :2]).argmax(1)
    return Streams(UNSEEN.inputs[:, :2], (found + 1) % 3)
