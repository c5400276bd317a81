import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.attacks import PGD, with_surrogate
from stochi.attacks.expectation import answers
from stochi.data import load
from stochi.errors import ExportError, InputError
from stochi.export import to_nir
from stochi.train import RandomTauLeaky, RepeatSteps
from stochi.train.networks import small_conv_net
from stochi.train.randomization import RANDOMIZATIONS, randomize
from stochi.train.training import TrainingConfig, measure_accuracy, train_classifier
from stochi.train.twin.model import make_twin
from tests.attacks.trained import some_images, trained_net
from tests.conftest import conv_net, dense_net

STRONG = {"weight-noise": 0.5, "spike-pruning": 0.3, "input-noise": 0.5, "resize-pad": 0.3}
WEAK = {"weight-noise": 0.01, "spike-pruning": 0.01, "input-noise": 0.01, "resize-pad": 0.1}
PLAIN = snn.Leaky(beta=0.5, init_hidden=True)


@pytest.mark.parametrize("kind", RANDOMIZATIONS)
@pytest.mark.parametrize("build, shape", [(conv_net, (2, 8, 8)), (dense_net, (1, 4, 4))])
def test_rows_draw_independently_and_repeat_from_the_seed(kind: str, build, shape) -> None:  # type: ignore[no-untyped-def]
    net, image = build(sampling="mean"), torch.rand(1, *shape)
    randomized = randomize(net, kind, STRONG[kind])

    def runs(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return answers(randomized, image, 300)[:, 0].detach()

    first = runs(1)
    assert torch.equal(first, runs(1)) and not torch.equal(first, runs(2))
    assert len(first.unique(dim=0)) >= 5  # of a 4 × 4 image there are 5 ways to resize and pad it
    # Draws that neighbours shared would correlate them.
    shifted = torch.corrcoef(torch.stack([first[:-1, 0], first[1:, 0]]))[0, 1]
    assert first[:, 0].std() > 0 and shifted.abs() < 4 / 300**0.5
    # ... and would take spread from the means of whole batches.
    means = torch.stack([runs(seed).mean(0) for seed in range(30)])
    spread = means.std(0) / (first.std(0) / 300**0.5)
    assert (spread < 2).all() and torch.equal(net(image), net(image))


@pytest.mark.parametrize("kind", RANDOMIZATIONS)
def test_little_of_it_changes_the_mean_answer_little(kind: str) -> None:
    net, shown = trained_net("mean"), some_images(40)
    with torch.no_grad():
        plain = net(shown.inputs)
        found = answers(randomize(net, kind, WEAK[kind]), shown.inputs, 50).mean(0)
        strong = answers(randomize(net, kind, STRONG[kind]), shown.inputs, 50).mean(0)
    distance = (found - plain).square().mean().sqrt() / plain.std()
    assert distance < 0.05 and distance < (strong - plain).square().mean().sqrt() / plain.std()


@pytest.mark.parametrize("kind", RANDOMIZATIONS)
def test_nothing_of_it_is_the_model_itself(kind: str) -> None:
    net, images = conv_net(sampling="mean"), torch.rand(4, 2, 8, 8)
    assert torch.allclose(randomize(net, kind, 0.0)(images), net(images), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", RANDOMIZATIONS)
def test_it_trains_and_is_attacked(kind: str) -> None:
    training, test = load("digits")
    model, history = train_classifier(
        lambda: randomize(small_conv_net(time_steps=3, channels=(4, 8)), kind, WEAK[kind]),
        training,
        TrainingConfig(epochs=3),
    )
    assert history[-1].loss < history[0].loss and measure_accuracy(model, test) > 0.4
    inputs, labels = test.inputs[:6], test.labels[:6]
    attack = PGD(0.1, iterations=2, draws=3)
    assert torch.equal(attack(model, inputs, labels), attack(model, inputs, labels))


@pytest.mark.parametrize("kind", ["weight-noise", "spike-pruning"])
def test_an_attacker_s_copy_draws_for_itself(kind: str) -> None:
    model, images = randomize(conv_net(sampling="mean"), kind, STRONG[kind]), torch.rand(5, 2, 8, 8)
    with torch.no_grad():
        model(images)
        copied = with_surrogate(model, snn.surrogate.fast_sigmoid(slope=5))
        answered = [(torch.manual_seed(3), m(images))[1] for m in (model, copied)]
        assert torch.equal(*answered)
        assert torch.isfinite(copied(images[:2])).all() and len(model(images)) == 5


@pytest.mark.parametrize("kind", RANDOMIZATIONS)
def test_the_model_inside_can_be_exported_but_not_the_noise(kind: str) -> None:
    net, images = conv_net(sampling="mean"), torch.rand(2, 2, 8, 8)
    model = randomize(net, kind, STRONG[kind])
    model(images)
    assert torch.equal(model.model(images), net(images))
    assert to_nir(model.model, images).nodes.keys() == to_nir(net, images).nodes.keys()
    with pytest.raises(ExportError, match=r"draws random numbers|dropout is on"):
        to_nir(model, images)


def test_weight_noise_is_of_the_layer_s_spread_and_stays_for_all_steps() -> None:
    layer, image = nn.Linear(40, 3), torch.rand(1, 40)
    once, often = (randomize(RepeatSteps(layer, steps), "weight-noise", 0.5) for steps in (1, 9))
    expected = 0.5 * layer.weight.std() * image.norm()
    for model in (once, often):
        noise = model(image.repeat(4000, 1)) - layer(image)
        assert torch.allclose(noise.std(0), expected.expand(3), rtol=0.06)
        assert (noise.mean(0).abs() < 5 * expected / 4000**0.5).all()


def test_weight_noise_of_a_convolution_is_the_same_at_all_places() -> None:
    layer = nn.Conv2d(4, 6, 3, stride=2, dilation=2, groups=2)
    flat = torch.rand(1, 4, 1, 1).expand(500, 4, 11, 11)
    noise = randomize(layer, "weight-noise", 0.5)(flat) - layer(flat)
    assert noise.shape == layer(flat).shape
    assert torch.allclose(noise, noise[..., :1, :1].expand_as(noise), atol=1e-5)
    for group in range(2):
        size = 3 * flat[0, 2 * group : 2 * group + 2, 0, 0].norm()
        spread = noise[:, 3 * group : 3 * group + 3, 0, 0].std()
        assert torch.allclose(spread, 0.5 * layer.weight.std() * size, rtol=0.1)


def test_pruning_drops_a_share_of_the_spikes_and_keeps_their_mean() -> None:
    neuron = RandomTauLeaky(sampling="mean")
    spikes, membrane = randomize(neuron, "spike-pruning", 0.25)(torch.full((200, 100), 3.0))
    assert torch.allclose(spikes.unique(), torch.tensor([0, 1 / 0.75]))
    assert abs(float((spikes == 0).double().mean()) - 0.25) < 0.02
    assert torch.equal(membrane, neuron(torch.full((200, 100), 3.0))[1])


def test_noisy_images_stay_images() -> None:
    found = randomize(nn.Identity(), "input-noise", 0.3)(torch.full((400, 1, 8, 8), 0.5))
    assert found.min() == 0 and found.max() == 1
    inside = (found > 0) & (found < 1)
    assert abs(float(inside.double().mean()) - 0.904) < 0.01  # within 5/3 standard deviations


def test_resized_images_are_whole_squares_at_all_places() -> None:
    found = randomize(nn.Identity(), "resize-pad", 0.25)(torch.ones(500, 1, 8, 8))[:, 0]
    seen = set()
    for image in found:
        rows, columns = (image > 0.5).any(1).nonzero()[:, 0], (image > 0.5).any(0).nonzero()[:, 0]
        top, left, size = int(rows[0]), int(columns[0]), len(rows)
        square = torch.zeros(8, 8)
        square[top : top + size, left : left + size] = 1
        assert torch.allclose(image, square, atol=1e-5)
        seen.add((size, top, left))
    assert len(seen) == 1 + 4 + 9 and {size for size, _, _ in seen} == {6, 7, 8}


def test_resizing_keeps_what_is_in_the_image() -> None:
    ramp = torch.linspace(0.1, 1, 12).expand(200, 1, 6, 12)
    for image in randomize(nn.Identity(), "resize-pad", 0.5)(ramp)[:, 0]:
        shown = image[image.sum(1) > 0]
        row = shown[0][shown[0] > 0]
        assert len(shown) == round(len(row) / 2) and (row.diff() > 0).all()
        assert torch.allclose(shown, shown[:1].expand_as(shown))


@pytest.mark.parametrize("kind", ["input-noise", "resize-pad"])
def test_the_twin_in_the_chip_s_integers_sees_random_images(kind: str) -> None:
    net = conv_net(sampling="mean")
    twin = make_twin(net, torch.rand(1, 2, 8, 8), noise="none")
    found = answers(randomize(twin, kind, STRONG[kind]), torch.rand(1, 2, 8, 8), 50)
    assert len(found.unique(dim=0)) > 5


@pytest.mark.parametrize(
    "model, kind, strength, message",
    [
        (nn.Linear(2, 2), "dice", 0.1, "randomization is 'dice'; choose from weight-noise, spike"),
        (nn.Linear(2, 2), "weight-noise", -0.1, "strength is -0.1"),
        (nn.Linear(2, 2), "input-noise", float("nan"), "strength is nan"),
        (nn.Linear(2, 2), "input-noise", float("inf"), "strength is inf"),
        (nn.Linear(2, 2), "resize-pad", 1.0, "strength is 1.0; ResizeAndPad takes"),
        (PLAIN, "spike-pruning", 1.0, "strength is 1.0"),
        (nn.Linear(2, 2), "spike-pruning", 0.1, "no spiking neuron"),
        (nn.Flatten(), "weight-noise", 0.1, "no Linear or Conv2d"),
        (nn.Conv2d(1, 1, 3, padding_mode="reflect"), "weight-noise", 0.1, "'reflect'"),
        (RepeatSteps(nn.Flatten(), 2, events=True), "input-noise", 0.1, "takes events"),
        (RepeatSteps(nn.Flatten(), 2, events=True), "resize-pad", 0.1, "takes events"),
    ],
)
def test_mistakes_are_named(model: nn.Module, kind: str, strength: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        randomize(model, kind, strength)


def test_models_and_inputs_that_do_not_fit_are_errors() -> None:
    with pytest.raises(InputError, match="needs images"):
        randomize(nn.Linear(3, 2), "resize-pad", 0.1)(torch.rand(2, 3))
    twin = make_twin(dense_net(), torch.rand(1, 1, 4, 4))
    for kind in ("weight-noise", "spike-pruning"):
        with pytest.raises(InputError, match="chip's integers"):
            randomize(twin, kind, 0.1)
