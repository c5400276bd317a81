from collections import OrderedDict
from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.deploy.graph.file import read_graph, write_graph
from stochi.errors import ExportError, GraphError, InputError
from stochi.export import to_nir
from stochi.export.evaluation import evaluate
from stochi.train import RandomTauLeaky
from stochi.train.networks import RepeatSteps
from tests.conftest import NETWORKS, conv_net


def with_mean_tau(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, RandomTauLeaky):
            module.sampling = "mean"
    return net


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_read_back_computes_what_the_model_computes(network: str, tmp_path: Path) -> None:
    build, shape = NETWORKS[network]
    net = build().double()
    images = torch.rand(20, *shape, dtype=torch.float64)
    write_graph(to_nir(net, images[:2]), tmp_path / "m.nir")
    graph = read_graph(tmp_path / "m.nir")
    expected = with_mean_tau(net)(images).detach()
    found = evaluate(graph, images, 4, graph.metadata["dt"]).mean(0)
    assert float(expected.std()) > 0.05
    assert torch.allclose(found, expected, atol=1e-9)
    lif = graph.nodes["network.lif1"]
    noted = lif.metadata["random_tau"]
    assert (noted["distribution"], noted["parameters"]) == ("logit-normal", "1.0")
    assert graph.metadata["readout"] == "mean" and graph.metadata["steps"] == 4
    for name, node in graph.nodes.items():
        for types in (node.input_type, node.output_type):
            assert all(shape is not None for shape in types.values()), name


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3, "padding": "same"},
        {"kernel_size": 4, "padding": "same"},
        {"kernel_size": (3, 1), "padding": (1, 0)},
        {"kernel_size": (1, 3), "stride": (2, 1), "dilation": (1, 2)},
        {"kernel_size": 3, "padding": "valid", "groups": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2, "groups": 4, "bias": False},
    ],
    ids=str,
)
def test_any_convolution_survives_and_passes_nir_s_own_check(options: dict, tmp_path: Path) -> None:
    net = RepeatSteps(
        nn.Sequential(
            nn.Conv2d(4, 8, **options),
            RandomTauLeaky(threshold=0.05, init_hidden=True),
            nn.Flatten(),
            nn.LazyLinear(3),
        ),
        3,
    )
    images = torch.rand(6, 4, 7, 9)
    net(images)
    net = net.double().eval()
    images = images.double()
    write_graph(to_nir(net, images[:1]), tmp_path / "m.nir")
    graph = nir.read(tmp_path / "m.nir", type_check=True)
    found = evaluate(graph, images, 3, 1e-3).mean(0)
    assert torch.allclose(found, with_mean_tau(net)(images), atol=1e-9)


class ByHand(nn.Module):
    """A network in snnTorch's tutorial style: membranes by hand, a loop over time."""

    def __init__(self, readout: str, events: bool = False) -> None:
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.lif1 = snn.Leaky(beta=0.8, threshold=0.2, reset_mechanism="zero")
        self.fc2 = nn.Linear(8, 3)
        self.lif2 = RandomTauLeaky(threshold=0.05)
        self.readout, self.events = readout, events

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        out = []
        for step in range(5):
            frame = x[step] if self.events else x
            spk1, mem1 = self.lif1(self.norm(self.fc1(frame.view(frame.size(0), -1))), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            out.append(spk2)
        stacked = torch.stack(out)
        return {"steps": stacked, "mean": stacked.mean(0), "sum": sum(out)}[self.readout]


@pytest.mark.parametrize("readout", ["steps", "mean", "sum"])
@pytest.mark.parametrize("events", [False, True])
def test_networks_in_tutorial_style(readout: str, events: bool) -> None:
    net = ByHand(readout, events).eval()
    sample = torch.rand(4, 2, 3) if not events else (torch.rand(5, 4, 2, 3) > 0.5).float()
    graph = to_nir(net, sample, dt=1e-4)
    assert graph.metadata["readout"] == readout
    assert graph.metadata["dt"] == 1e-4 and graph.metadata["steps"] == 5
    assert [type(n).__name__ for n in graph.nodes.values()] == [
        *("Input", "Flatten", "Affine", "LIF", "Affine", "LIF", "Output")
    ]
    lif = graph.nodes["lif1"]
    assert np.allclose(1 - 1e-4 / lif.tau, 0.8) and lif.tau.shape == (8,)
    assert np.allclose(lif.r * 1e-4 / lif.tau, 1.0)


def test_batch_norm_is_folded_and_the_model_untouched() -> None:
    net = conv_net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    graph = to_nir(net, torch.rand(1, 2, 8, 8))
    assert not any("norm" in name for name in graph.nodes)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert net.network.lif1.sampling == "step"


def test_progress_counts_the_layers_and_ends() -> None:
    told: list[tuple[int, int]] = []
    net, sample = conv_net(), torch.rand(1, 2, 8, 8)
    graph = to_nir(net, sample, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]  # two layers, and four parts of the whole
    assert graph.nodes.keys() == to_nir(net, sample).nodes.keys()
    with pytest.raises(InputError, match="progress"):
        to_nir(net, sample, progress=3)  # type: ignore[arg-type]


def test_exports_leave_no_neurons_behind_in_snntorch() -> None:
    net = conv_net()
    known = len(snn.SpikingNeuron.instances)
    to_nir(net, torch.rand(1, 2, 8, 8))
    assert len(snn.SpikingNeuron.instances) == known


def leaky(**options: object) -> snn.Leaky:
    return snn.Leaky(0.5, init_hidden=True, **options)  # type: ignore[arg-type]


RANDOM = {"init_hidden": True}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Linear(4, 4), snn.DeltaLeaky(beta=0.9, init_hidden=True)], "DeltaLeaky.*changes"),
        ([nn.Linear(4, 4), nn.MaxPool1d(2), RandomTauLeaky(**RANDOM)], "1.*MaxPool1d"),
        ([nn.Linear(4, 4), nn.Sigmoid(), RandomTauLeaky(**RANDOM)], "sigmoid"),
        ([nn.Linear(4, 4), nn.LayerNorm(4), RandomTauLeaky(**RANDOM)], "1.*LayerNorm.*BatchNorm"),
        ([nn.Linear(4, 4), snn.Alpha(0.9, 0.8, init_hidden=True)], r"1' \(Alpha\).*snn\.Synaptic"),
        ([nn.Linear(4, 4)], "no spiking neurons"),
        ([nn.Linear(4, 4), RandomTauLeaky(sampling="fixed", **RANDOM)], "not drawn yet"),
    ],
)
def test_layers_that_cannot_be_exported_are_errors_that_name_them(
    layers: list[nn.Module], message: str
) -> None:
    net = RepeatSteps(nn.Sequential(*layers), 2).eval()
    with pytest.raises(ExportError, match=message):
        to_nir(net, torch.rand(3, 4))


def test_output_arithmetic_that_the_graph_lacks_is_an_error() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = RepeatSteps(
                nn.Sequential(nn.Linear(4, 4), RandomTauLeaky(threshold=0.01, init_hidden=True)),
                2,
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x) * 3

    with pytest.raises(ExportError, match="does not compute"):
        to_nir(Scaled().eval(), torch.rand(3, 4))


@pytest.mark.parametrize("sample", [torch.rand(0, 4), torch.rand(4), [1.0]])
def test_bad_samples_are_errors(sample: torch.Tensor) -> None:
    net = RepeatSteps(nn.Sequential(OrderedDict(fc=nn.Linear(4, 4), lif=RandomTauLeaky(**RANDOM))))
    with pytest.raises(ExportError, match="sample"):
        to_nir(net, sample)


def test_a_sample_of_another_shape_is_one_sentence() -> None:
    with pytest.raises(ExportError, match=r"fails on a sample of shape \(3, 5\)"):
        to_nir(RepeatSteps(nn.Sequential(nn.Linear(4, 4), leaky())), torch.rand(3, 5))


def test_an_error_of_the_models_own_code_is_placed() -> None:
    """Innermost of the model's code, whether torch raises there or the code itself."""

    class Misspelt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.shape[1] != 4:
                return self.fc(x)
            return self.scaled(x)

        def scaled(self, x: torch.Tensor) -> torch.Tensor:
            return x * oops  # type: ignore[name-defined]  # noqa: F821

    first = Misspelt.forward.__code__.co_firstlineno
    for width, said in (
        (4, rf"name 'oops' is not defined \(NameError in test_nir_graph.py, line {first + 6}\)"),
        (5, rf"cannot be multiplied .*\(RuntimeError in test_nir_graph.py, line {first + 2}\)"),
    ):
        with pytest.raises(ExportError, match=said):
            to_nir(nn.Sequential(Misspelt()), torch.rand(3, width))


def test_nan_weights_are_named() -> None:
    net = conv_net()
    with torch.no_grad():
        net.network.conv2.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(ExportError, match=r"network\.conv2.*weight holds NaN"):
        to_nir(net, torch.rand(1, 2, 8, 8))


def test_errors_name_the_bad_graph_file(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="no such file"):
        read_graph(tmp_path / "missing.nir")
    (tmp_path / "text.nir").write_text("not HDF5")
    write_graph(to_nir(conv_net(), torch.rand(1, 2, 8, 8)), tmp_path / "good.nir")
    (tmp_path / "half.nir").write_bytes((tmp_path / "good.nir").read_bytes()[:4000])
    for name in ("text.nir", "half.nir"):
        with pytest.raises(GraphError, match="not a NIR graph file"):
            read_graph(tmp_path / name)


@pytest.mark.cuda
@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_on_a_gpu_has_the_same_graph(network: str) -> None:
    build, shape = NETWORKS[network]
    net, sample = build(), torch.rand(2, *shape)
    ours = to_nir(net, sample)
    theirs = to_nir(net.cuda(), sample.cuda())
    assert next(net.parameters()).is_cuda
    assert ours.edges == theirs.edges
    for name, node in ours.nodes.items():
        weight = getattr(node, "weight", None)
        assert weight is None or np.array_equal(weight, theirs.nodes[name].weight)
