"""SEW-ResNet19 and VGG9: their shapes, their way to the chip, their checkpoints and training."""

from pathlib import Path

import pytest
import torch
from torch import nn

from stochi.data import Images
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import from_nir, to_nir
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import (
    NetworkConfig,
    RandomTauLeaky,
    TrainingConfig,
    load_checkpoint,
    make_defence,
    save_checkpoint,
    train_classifier,
    twin_of,
)
from stochi.train.checkpoint import in_floats
from stochi.train.deep_networks.catalogue import DEEP_NETWORKS
from stochi.train.deep_networks.sew_resnet import sew_resnet19
from stochi.train.deep_networks.units import CIFAR10, ChannelNorm
from stochi.train.deep_networks.vgg import vgg9
from stochi.train.neurons.choice import NeuronChoice
from tests.thoroughness import with_slow

KINDS = list(DEEP_NETWORKS)
SMALL = (1, 8, 8)


def some_images(count: int, *shape: int) -> torch.Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(count))


def settled(kind: str, **options: object) -> nn.Module:
    """A network whose batch norms have seen some images."""
    torch.manual_seed(3)
    values: dict[str, object] = {"input_shape": SMALL, "time_steps": 3, "width": 4, **options}
    net = DEEP_NETWORKS[kind].build(**values).train()
    with torch.no_grad():
        for _ in range(3):
            net(some_images(16, *values["input_shape"]))  # type: ignore[misc]
    return net.eval()


def drawing(net: nn.Module) -> list[bool]:
    found = [module for module in net.modules() if isinstance(module, RandomTauLeaky)]
    return [module.sampling != "mean" for module in found]


def test_sew_resnet19_is_the_paper_s() -> None:
    """12.6 million weights, 1.54 million neurons at 32×32 (Wang et al.'s network)."""
    net = sew_resnet19(width=128, time_steps=1, neuron=NeuronChoice("plain"))
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == 12.6
    neurons = []

    def count(module: nn.Module, given: object, spikes: torch.Tensor) -> None:
        neurons.append(spikes[0].numel())

    for module in net.modules():
        if type(module).__name__ == "Leaky":
            module.register_forward_hook(count)
    with torch.no_grad():
        assert net(torch.rand(1, 3, 32, 32)).shape == (1, 10)
    assert len(neurons) == 17 + 2 and round(sum(neurons) / 1e6, 2) == 1.54


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "width"), [(SMALL, 2), ((3, 32, 32), 3), ((2, 17, 9), 1)])
def test_weights_are_counted_before_they_are_made(
    kind: str, shape: tuple[int, int, int], width: int
) -> None:
    net = DEEP_NETWORKS[kind].build(shape, 7, width=width)
    found = sum(p.numel() for p in net.parameters() if p.dim() > 1)
    assert DEEP_NETWORKS[kind].count_weights(shape, 7, width) == found
    assert NetworkConfig(shape, 7, kind=kind, width=width).weights == found


def test_images_are_normalized_inside() -> None:
    images = torch.tensor(CIFAR10[0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert float(ChannelNorm(3)(images).abs().max()) < 1e-6
    one = ChannelNorm(3)(images + torch.tensor(CIFAR10[1]).view(3, 1, 1))
    assert torch.allclose(one, torch.ones(1, 3, 4, 4), atol=1e-6)
    assert float(ChannelNorm(1)(torch.full((1, 1, 2, 2), 0.75)).mean()) == 1


def test_sew_blocks_add_spikes() -> None:
    net = settled("sew-resnet19", neuron=NeuronChoice(sampling="mean"))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data *= 3  # so that all layers spike
    seen: dict[str, torch.Tensor] = {}
    for name, module in net.named_modules():
        if name.startswith("network.block") and name.count(".") == 1:
            module.register_forward_hook(
                lambda module, given, found, name=name: seen.__setitem__(name, found)
            )
    net(some_images(4, *SMALL))
    for found in seen.values():
        assert torch.equal(found, found.round()) and float(found.min()) >= 0
    assert float(seen["network.block3"].max()) > 1  # a sum of spikes, not a spike


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_layers_draw(kind: str) -> None:
    layers = DEEP_NETWORKS[kind].layers
    counts = [sum(drawing(settled(kind, random_layers=count))) for count in range(layers + 1)]
    assert counts[0] == 0 and counts == sorted(set(counts))
    assert drawing(settled(kind)) == drawing(settled(kind, random_layers=layers))
    first = drawing(settled(kind, random_layers=1))
    assert first[0] and not any(first[1:])


def test_neurons_of_a_shortcut_count_with_the_second_layer_of_their_block() -> None:
    net = settled("sew-resnet19", random_layers=1 + 6 + 1)
    block = net.get_submodule("network.block4")
    sampling = {
        name: block.get_submodule(f"{name}.neurons").sampling
        for name in ("first", "second", "shortcut")
    }
    assert sampling == {"first": "step", "second": "mean", "shortcut": "mean"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", with_slow([SMALL, (3, 16, 16)], [(3, 16, 16)]))
def test_the_chip_computes_them(kind: str, shape: tuple[int, int, int]) -> None:
    net = settled(kind, input_shape=shape)
    images = some_images(3, *shape)
    program = lower(to_nir(net, images[:2]))
    twin = twin_of(program, net, images[:2]).eval()
    ours = run(program, images, probes=PROBES)
    compared = compare_records(ours, record_twin(twin, program, images, Draws()))
    assert sum(layer.mismatches for layer in compared) == 0
    assert sum(layer.compared for layer in compared) > 10_000


@pytest.mark.lava
def test_lava_computes_a_sew_resnet() -> None:
    net = settled("sew-resnet19", width=2, time_steps=2)
    images = some_images(2, *SMALL)
    program = lower(to_nir(net, images))
    compared = compare_records(
        run(program, images, "lava", probes=PROBES), run(program, images, probes=PROBES)
    )
    assert sum(layer.mismatches for layer in compared) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_computes_them(kind: str) -> None:
    """Normalization stands in front of zero padding, and is still folded exactly."""
    net = settled(kind, neuron=NeuronChoice("plain"))
    images = some_images(20, *SMALL)
    again = from_nir(to_nir(net, images[:2]))
    with torch.no_grad():
        assert torch.allclose(net(images), again(images), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_build_them_again(kind: str, tmp_path: Path) -> None:
    config = NetworkConfig(SMALL, 10, 3, kind=kind, width=4, random_layers=2, neuron="random")
    net = settled(kind, random_layers=2)
    save_checkpoint(tmp_path / "net.pt", net, config, {})
    again, content = load_checkpoint(tmp_path / "net.pt")
    assert NetworkConfig.from_dict(content["network"]) == config
    assert drawing(again) == drawing(net)
    for name, values in net.state_dict().items():
        assert torch.equal(again.state_dict()[name], values), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_trained_in_the_chip_s_integers_is_kept_in_floats(kind: str) -> None:
    config = NetworkConfig(SMALL, 10, 3, kind=kind, width=2, batch_norm=False)
    torch.manual_seed(0)
    net = config.build().eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data *= 8  # so that deep layers spike, without batch norm
    images = some_images(3, *SMALL)
    program = lower(to_nir(net, images))
    assert len(run(program, images).logits.unique()) > 10
    kept, folded = in_floats(twin_of(program, net, images), config)
    assert folded == config
    again = lower(to_nir(kept, images))
    assert torch.equal(run(program, images).logits, run(again, images).logits)
    with pytest.raises(InputError, match="normalizes images inside"):
        in_floats(twin_of(program, net, images), NetworkConfig(SMALL, kind=kind))


def test_they_learn() -> None:
    """Two classes that differ in brightness, with momentum as in the paper."""
    bright = (torch.arange(64) % 2).float().view(-1, 1, 1, 1)
    images = Images(0.3 * some_images(64, *SMALL) + 0.6 * bright, bright.flatten().long())
    config = TrainingConfig(epochs=15, optimizer="sgd", learning_rate=0.1, batch_size=16)
    net, history = train_classifier(
        lambda: sew_resnet19(SMALL, 2, time_steps=2, width=2), images, config
    )
    assert history[-1].loss < history[0].loss
    assert max(epoch.validation_accuracy for epoch in history) == 1
    assert not net.training


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("neuron", "defence"),
    [
        ("random", "fgsm"),
        pytest.param("noisy", "tgo", marks=pytest.mark.slow),
        pytest.param("gated", "trades", marks=pytest.mark.slow),
    ],
)
def test_they_train_with_every_defence_and_reach_the_chip(
    kind: str, neuron: str, defence: str, device: str
) -> None:
    images = Images(some_images(32, *SMALL), torch.arange(32) % 2)
    config = NetworkConfig(SMALL, 2, 2, kind=kind, width=2, neuron=neuron)
    net, history = train_classifier(
        config.build,
        images,
        TrainingConfig(epochs=1, optimizer="sgd", batch_size=8),
        defence=make_defence(defence),
        device=device,
    )
    assert history[0].loss > 0
    net = net.cpu()
    program = lower(to_nir(net, images.inputs[:2]))
    ours = run(program, images.inputs[:4], probes=PROBES, device=device)
    twin = twin_of(program, net, images.inputs[:2]).eval()
    compared = compare_records(ours, record_twin(twin, program, images.inputs[:4], Draws()))
    assert sum(layer.mismatches for layer in compared) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: sew_resnet19(random_layers=18), "random_layers is 18; this network has 17"),
        (lambda: vgg9(random_layers=-1), "random_layers is -1; this network has 8"),
        (lambda: vgg9((3, 7, 32)), "input_shape is (3, 7, 32); VGG9 halves images three times"),
        (lambda: sew_resnet19(width=0), "width is 0"),
        (lambda: sew_resnet19(width=10**5), "SEW-ResNet19 of width 100000 would take"),
        (lambda: vgg9(width=10**5), "VGG9 of width 100000 would take"),
        (lambda: NetworkConfig(kind="vgg9", input_shape=(1, 4, 4)), "at least 8×8"),
        (lambda: NetworkConfig(kind="sew-resnet19", width=2**21), "width is 2097152"),
    ],
)
def test_what_is_wrong_is_told(wrong: object, message: str) -> None:
    with pytest.raises(InputError) as told:
        wrong()  # type: ignore[operator]
    assert message in str(told.value)
