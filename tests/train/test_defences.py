from functools import cache

import pytest
import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks import PGD, with_surrogate
from stochi.attacks.expectation import answers, judge
from stochi.data import Images, load
from stochi.errors import InputError
from stochi.statistics.intervals import Z95, estimate_difference
from stochi.train import RepeatSteps
from stochi.train.defences.adversarial_training import FGSMTraining, PGDTraining
from stochi.train.defences.catalogue import DEFENCES, make_defence
from stochi.train.defences.crafted_noise import CraftedNoise
from stochi.train.defences.defence import Defence
from stochi.train.defences.orthogonal_retraction import retract
from stochi.train.defences.sparse_gradients import SparseGradients, true_against_best_wrong
from stochi.train.networks import small_conv_net, two_layer_net
from stochi.train.training import TrainingConfig, train_classifier
from stochi.train.twin.model import FreshDraws, make_twin
from tests.attacks.trained import right_answers, trained_net
from tests.conftest import conv_net, dense_net

IMAGES = 200
ON_IMAGES = [name for name, defence in DEFENCES.items() if defence.takes_images]


@cache
def trained(name: str | None, sampling: str) -> nn.Module:
    """On the digits, 64-64-10, with a defence or without; all else is the same."""
    if name is None:
        return trained_net(sampling)
    parameters = {"iterations": 3, "draws": 1} if name in ("pgd", "trades") else {}
    model, _ = train_classifier(
        lambda: two_layer_net(hidden=(64, 64), sampling=sampling),
        load("digits")[0],
        TrainingConfig(epochs=8),
        defence=make_defence(name, **parameters),
    )
    return model


@cache
def right_under_attack(name: str | None, sampling: str) -> torch.Tensor:
    """(trials, images) bool. Made with another surrogate too: a defence may flatten its own."""
    model, shown = trained(name, sampling), held_out()
    attack = PGD(0.1, 1, 10, draws=5 if sampling == "step" else 1)
    surrogates = (model, with_surrogate(model, snn.surrogate.fast_sigmoid(slope=25)))
    attacked = [attack(each, shown.inputs, shown.labels) for each in surrogates]
    return right_answers(model, judge(model, attacked, shown.labels, 5, 5).images, shown.labels)


def held_out() -> Images:
    return load("digits")[1].first(IMAGES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, sampling",
    [
        ("fgsm", "step"),
        ("pgd", "mean"),
        ("rat", "mean"),
        ("sr", "step"),
        ("hire", "step"),
        ("trades", "mean"),
        ("fgsm", "mean"),
        ("pgd", "step"),
        ("rat", "step"),
        ("sr", "mean"),
        ("hire", "mean"),
        ("trades", "step"),
        ("tgo", "mean"),
    ],
)
def test_a_defence_raises_accuracy_under_attack(name: str, sampling: str) -> None:
    gain = estimate_difference(
        right_under_attack(None, sampling), right_under_attack(name, sampling)
    )
    assert gain.low > 0
    clean = held_out()
    right = right_answers(trained(name, sampling), clean.inputs, clean.labels)
    assert right.double().mean() > 0.8


@pytest.mark.parametrize("name", ON_IMAGES)
def test_training_repeats_from_its_seed(name: str) -> None:
    images = load("digits")[0].first(96)
    config = TrainingConfig(seed=3, epochs=2)
    state = torch.get_rng_state()
    first, second, plain = (
        train_classifier(
            lambda: small_conv_net(time_steps=3, channels=(4, 8)), images, config, defence=defence
        )[0].state_dict()
        for defence in (make_defence(name), make_defence(name), None)
    )
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], plain[key]) for key in first)


@pytest.mark.parametrize("name", ON_IMAGES)
@pytest.mark.parametrize("build", [conv_net, dense_net])
def test_the_twin_in_the_chip_s_integers_is_trained_too(name: str, build) -> None:  # type: ignore[no-untyped-def]
    net = build()
    inputs = torch.rand(6, 2, 8, 8) if build is conv_net else torch.rand(6, 1, 4, 4)
    twin = FreshDraws(make_twin(net, inputs[:1]), seed=1).train()
    defence = make_defence(name)
    defence.loss(twin, inputs, torch.arange(6) % 3).backward()
    weights = [p for n, p in twin.named_parameters() if n.endswith("weight")]
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in weights)
    defence.after_step(twin)
    assert twin(inputs).isfinite().all()


@pytest.mark.parametrize("defence", [FGSMTraining(0.0), PGDTraining(0.0, iterations=2)])
def test_the_attack_on_a_batch_leaves_batch_norm_alone(defence: FGSMTraining) -> None:
    inputs, labels = torch.rand(16, 2, 8, 8), torch.arange(16) % 5
    found = []
    for how in (defence, Defence()):
        torch.manual_seed(1)
        net = conv_net(sampling="mean").train()
        net.network.get_submodule("lif1").eval()  # whatever was in eval mode stays in it
        loss = how.loss(net, inputs, labels)
        modes = [net.network.get_submodule(name).training for name in ("norm", "lif1")]
        assert modes == [True, False]
        found.append({"loss": loss, **net.state_dict()})
    first, second = found
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_every_batch_is_attacked_from_another_start() -> None:
    shown: list[torch.Tensor] = []
    net = conv_net(sampling="mean").train()
    net.register_forward_pre_hook(lambda m, given: shown.append(given[0]) if m.training else None)
    inputs, labels = torch.rand(8, 2, 8, 8), torch.arange(8) % 5
    for _ in range(2):
        FGSMTraining(0.1).loss(net, inputs, labels)
    first, second = shown
    assert not torch.equal(first, second)
    for attacked in shown:
        assert 0.05 < (attacked - inputs).abs().max() <= 0.1 + 1e-6
        assert attacked.min() >= 0 and attacked.max() <= 1


def gram_error(rows: torch.Tensor) -> float:
    return float((rows @ rows.mT - torch.eye(rows.shape[-2])).norm())


def test_retraction_goes_to_orthonormal_rows_and_stays_there() -> None:
    weight = torch.randn(6, 3, 3, 3) / 4
    rows = weight.flatten(1)  # a view
    before = gram_error(rows)
    retract(weight, 0.1)
    assert gram_error(rows) < before
    for _ in range(200):
        retract(weight, 0.1)
    assert gram_error(rows) < 1e-5
    kept = rows.clone()
    retract(weight, 0.1)
    assert torch.allclose(rows, kept, atol=1e-6)
    tall = torch.randn(20, 5) / 3
    for _ in range(200):
        retract(tall, 0.1)
    assert torch.allclose(torch.linalg.svdvals(tall), torch.ones(5), atol=1e-5)


def test_retraction_takes_groups_by_themselves() -> None:
    weight = torch.randn(6, 2, 3, 3) / 4
    halves = [half.clone() for half in weight.chunk(2)]
    retract(weight, 0.1, groups=2)
    for half in halves:
        retract(half, 0.1)
    assert torch.equal(weight, torch.cat(halves))


def test_rat_retracts_after_every_step() -> None:
    net = conv_net()
    before = [p.detach().clone() for p in net.parameters()]
    make_defence("rat", beta=0.2).after_step(net)
    for (name, now), old in zip(net.named_parameters(), before, strict=True):
        expected = old.clone()
        if old.dim() > 1:
            retract(expected, 0.2, groups=2 if "conv2" in name else 1)
        assert torch.equal(now, expected)


def gradient_norms(model: nn.Module, shown: Images, draws: int = 10) -> torch.Tensor:
    """(images,) mean L1 norm, over draws, of what SR penalizes."""
    leaf = shown.inputs.repeat(draws, 1, 1, 1).requires_grad_(True)
    score = true_against_best_wrong(answers(model, leaf, 1)[0], shown.labels.repeat(draws))
    (gradient,) = torch.autograd.grad(score.sum(), leaf)
    return gradient.abs().flatten(1).sum(1).view(draws, -1).mean(0)


def test_sr_lowers_the_l1_norm_of_input_gradients() -> None:
    shown = held_out()
    plain, sparse = (gradient_norms(trained(name, "step"), shown) for name in (None, "sr"))
    lowered = plain - sparse
    assert lowered.mean() > Z95 * lowered.std() / IMAGES**0.5


def test_sr_s_penalty_on_a_linear_model() -> None:
    model = nn.Linear(7, 4).double()
    inputs, labels = torch.rand(5, 7).double(), torch.tensor([0, 1, 2, 3, 0])
    logits = model(inputs)
    score = true_against_best_wrong(logits, labels)
    rivals = logits.scatter(1, labels[:, None], -torch.inf).argmax(1)
    slopes = (model.weight[labels] - model.weight[rivals]).abs().sum(1) * score * (1 - score)
    expected = functional.cross_entropy(logits, labels) + 3 * slopes.square().mean()
    found = SparseGradients(3.0).loss(model, inputs, labels)
    assert torch.allclose(found, expected)
    ours = torch.autograd.grad(found, model.weight)[0]
    assert torch.allclose(ours, torch.autograd.grad(expected, model.weight)[0])


def frames_of(
    net: RepeatSteps, defence: CraftedNoise, inputs: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """(steps, batch, *shape) what is shown in a training pass."""
    frames: list[torch.Tensor] = []
    hook = net.network.register_forward_hook(lambda m, given, _: frames.append(given[0].detach()))
    defence.loss(net, inputs, labels)
    hook.remove()
    return torch.stack(frames)


@pytest.mark.parametrize("step_size", [None, 0.02])
def test_hire_shows_other_images_in_each_period(step_size: float | None) -> None:
    net = conv_net(time_steps=7).train()
    inputs, labels = torch.rand(8, 2, 8, 8), torch.arange(8) % 5
    defence = CraftedNoise(0.05, periods=3, step_size=step_size)
    frames = frames_of(net, defence, inputs, labels)
    moves = (frames - inputs).abs().amax((2, 3, 4))
    first, second = (0.05, 0.05) if step_size is None else (0.02, 0.04)
    expected = torch.tensor([0, 0, first, first, second, second, second])
    assert torch.allclose(moves, expected[:, None].expand(7, 8), atol=1e-6)
    for start, end in ((0, 2), (2, 4), (4, 7)):
        assert torch.equal(frames[start:end], frames[start].expand(end - start, *inputs.shape))
    assert not torch.equal(frames[3], frames[4])
    assert frames.min() >= 0 and frames.max() <= 1
    assert not net.network._forward_hooks and not net.network._forward_pre_hooks


def test_hire_without_noise_is_plain_training() -> None:
    inputs, labels = torch.rand(8, 2, 8, 8), torch.arange(8) % 5
    found = []
    for defence in (CraftedNoise(0.0, periods=4), Defence()):
        torch.manual_seed(1)
        net = conv_net().train()
        loss = defence.loss(net, inputs, labels)
        found.append((loss, *torch.autograd.grad(loss, list(net.parameters()))))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_hire_climbs_the_loss() -> None:
    net, shown = trained(None, "mean"), held_out()
    assert isinstance(net, RepeatSteps)
    frames = frames_of(net, CraftedNoise(0.1), shown.inputs, shown.labels)
    with torch.no_grad():
        clean, last = (
            functional.cross_entropy(net(image), shown.labels) for image in (frames[0], frames[-1])
        )
    assert last > 1.5 * clean


@pytest.mark.parametrize(
    "name, parameters, message",
    [
        (
            "hiss",
            {},
            "defence is 'hiss'; choose from fgsm, pgd, rat, sr, hire, events, trades, tgo",
        ),
        ("sr", {"epsilon": 0.1}, "'sr' has no parameter epsilon; its parameters are coefficient"),
        ("fgsm", {"epsilon": float("nan")}, "epsilon is nan"),
        ("pgd", {"epsilon": 1.5}, "epsilon is 1.5"),
        ("pgd", {"iterations": 0}, "iterations is 0"),
        ("rat", {"draws": 0}, "draws is 0"),
        ("rat", {"beta": float("nan")}, "beta is nan"),
        ("rat", {"beta": 0.6}, "beta is 0.6"),
        ("sr", {"coefficient": float("nan")}, "coefficient is nan"),
        ("sr", {"coefficient": -1}, "coefficient is -1"),
        ("hire", {"epsilon": -0.1}, "epsilon is -0.1"),
        ("hire", {"epsilon": float("nan")}, "epsilon is nan"),
        ("hire", {"periods": 1}, "periods is 1"),
        ("hire", {"step_size": float("nan")}, "step_size is nan"),
    ],
)
def test_mistakes_are_named(name: str, parameters: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_defence(name, **parameters)


def test_hire_needs_a_network_that_can_show_periods() -> None:
    inputs, labels = torch.rand(4, 2, 8, 8), torch.arange(4)
    with pytest.raises(InputError, match="periods is 5, but the network runs for 4 time steps"):
        CraftedNoise(periods=5).loss(conv_net(time_steps=4), inputs, labels)
    events = RepeatSteps(nn.Flatten(), 2, events=True)
    for model in (nn.Flatten(), events, nn.Sequential(conv_net(), conv_net())):
        with pytest.raises(InputError, match="crafted noise needs one"):
            CraftedNoise().loss(model, inputs, labels)


def test_a_defence_s_dictionary_has_its_name_and_parameters() -> None:
    assert make_defence("pgd", epsilon=0.2).as_dict() == {
        "name": "pgd",
        "epsilon": 0.2,
        "draws": 2,
        "surrogate": "own",
        "iterations": 5,
    }


@pytest.mark.parametrize("name", ["fgsm", "pgd", "rat", "trades"])
def test_the_attack_in_training_follows_the_surrogate_that_is_asked_for(name: str) -> None:
    sharp, own = (make_defence(name, epsilon=0.1, surrogate=s) for s in ("atan-25", "own"))
    assert isinstance(sharp, FGSMTraining) and sharp.as_dict()["surrogate"] == "atan-25"
    attack = sharp.attack(seed=3)
    assert [each.name for each in attack.choices] == ["atan-25"] and attack.keep == "last"
    net, shown = conv_net(), torch.rand(4, 2, 8, 8)
    losses = []
    for defence in (own, sharp):
        torch.manual_seed(0)
        losses.append(defence.loss(net, shown, torch.arange(4)))
    assert losses[0] != losses[1] and all(loss.requires_grad for loss in losses)
    with pytest.raises(InputError, match="surrogate is 'steep'"):
        make_defence(name, surrogate="steep")


class Remembering(nn.Module):
    """A network whose membranes outlive a pass, unless it resets them; it counts its passes."""

    def __init__(self, resets: bool) -> None:
        super().__init__()
        self.fc, self.neuron = nn.Linear(16, 3), snn.Leaky(0.9, init_hidden=True)
        nn.init.uniform_(self.fc.weight, 0, 0.03)
        self.resets, self.sizes = resets, list[int]()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(images))
        if self.resets:
            self.neuron.reset_mem()
        current = self.fc(images.flatten(1))
        return torch.stack([self.neuron(2 * current) for _ in range(4)]).mean(0) + 0.1 * current


@pytest.mark.parametrize("name", ["fgsm", "pgd", "trades", "tgo"])
def test_the_network_is_asked_once_whether_it_remembers(name: str) -> None:
    images = Images(torch.rand(40, 1, 4, 4), torch.arange(40) % 3)
    defence = make_defence(name, epsilon=0.1)
    config = TrainingConfig(epochs=2, batch_size=8)
    with pytest.raises(InputError, match="depends on the calls before"):
        train_classifier(lambda: Remembering(resets=False), images, config, defence=defence)
    network, _ = train_classifier(lambda: Remembering(True), images, config, defence=defence)
    assert network.sizes.count(1) == 3
