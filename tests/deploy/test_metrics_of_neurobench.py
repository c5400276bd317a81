"""Metrics equal to those that NeuroBench's own code finds, on the network of the demo.

NeuroBench asks for tonic and torchaudio, which these metrics do not use:
``pip install --no-deps neurobench==2.3.0``.
"""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from stochi.data import load
from stochi.deploy import lower, measure_model
from stochi.deploy.estimates.counting import count_events
from stochi.deploy.estimates.metrics import Metrics, measure
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.program.layers import INPUT, Convolution, Dense, Flatten, SumPool
from stochi.program.program import Program
from stochi.sim import run
from stochi.train import NetworkConfig

IMAGES, BATCH = 24, 8


def demo_network() -> nn.Module:
    """Build the demo's network, with weights that make it spike and with some zeros."""
    net = NetworkConfig().build().eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight *= 4
                module.weight[module.weight.abs() < 0.05] = 0
    return net


def images() -> torch.Tensor:
    return load("digits")[1].first(IMAGES).inputs


def batches_of(shown: torch.Tensor) -> Any:
    return DataLoader(TensorDataset(shown, torch.zeros(len(shown))), batch_size=BATCH)


def measured_by_neurobench(net: nn.Module, shown: torch.Tensor, neurons: type) -> dict[str, Any]:
    benchmarks = pytest.importorskip("neurobench.benchmarks", reason="NeuroBench is not installed")
    from neurobench.metrics import static, workload
    from neurobench.models import TorchModel

    model = TorchModel(net)
    model.add_activation_module(neurons)
    loader = batches_of(shown)
    metrics = [
        [static.Footprint, static.ConnectionSparsity],
        [workload.ActivationSparsity, workload.SynapticOperations],
    ]
    found: dict[str, Any] = benchmarks.Benchmark(model, loader, [], [], metrics).run(quiet=True)
    return found


def check_equal(ours: Metrics, theirs: dict[str, Any]) -> None:
    named = ours.named()
    assert round(ours.connection_sparsity, 4) == theirs["ConnectionSparsity"] > 0
    assert ours.activation_sparsity == pytest.approx(theirs["ActivationSparsity"], abs=1e-12)
    assert 0 < ours.activation_sparsity < 1
    assert named["SynapticOperations"] == theirs["SynapticOperations"]
    assert min(theirs["SynapticOperations"].values()) > 0


def test_a_float_model_has_neurobench_s_numbers() -> None:
    net, shown = demo_network(), images()
    fresh = deepcopy(net)
    torch.manual_seed(1)
    theirs = measured_by_neurobench(net, shown, snn.SpikingNeuron)
    torch.manual_seed(1)  # the same draws of τ; a loader draws, too
    batches = (batch for batch, _ in batches_of(shown))
    ours = measure_model(fresh, batches, neurons=(snn.SpikingNeuron,))
    check_equal(ours, theirs)
    assert ours.footprint == theirs["Footprint"]


class Replay(nn.Module):
    """Neurons that send what the engine recorded."""

    def __init__(self, spikes: torch.Tensor) -> None:
        super().__init__()
        self.spikes, self.step, self.sample = spikes.float(), 0, 0

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        sent = self.spikes[self.step, self.sample : self.sample + len(values)]
        self.step = (self.step + 1) % len(self.spikes)
        self.sample += len(values) if self.step == 0 else 0
        return sent


class Replayed(nn.Module):
    """A Program's connections as torch layers, which receive what the engine recorded."""

    def __init__(self, program: Program, spikes: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.program = program
        self.neurons = nn.ModuleList(Replay(s) for s in spikes.values())
        self.connections = nn.ModuleList(_connection(p) for p in program.layers)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        for _ in range(self.program.target.time_steps):
            values = shown
            for number, layer in enumerate(self.program.layers):
                (projection,) = layer.projections
                for stage in projection.stages:
                    if isinstance(stage, SumPool):
                        values = functional.avg_pool2d(values, stage.kernel, stage.stride)
                    elif isinstance(stage, Flatten):
                        values = values.flatten(1)
                    else:
                        values = self.connections[number](values)
                if layer.spikes:
                    values = self.neurons[number](values)
        return values


def _connection(layer: Any) -> nn.Module:
    (projection,) = layer.projections
    stage = next(s for s in projection.stages if isinstance(s, Convolution | Dense))
    outputs, inputs, *kernel = stage.weight.shape
    module: nn.Module = nn.Linear(inputs, outputs, bias=False)
    if isinstance(stage, Convolution):
        module = nn.Conv2d(inputs, outputs, tuple(kernel), stage.stride, stage.padding, bias=False)
    module.weight = nn.Parameter(torch.from_numpy(stage.weight).float())
    return module


@pytest.mark.parametrize("noise", ["decay", "none"])
def test_a_program_has_neurobench_s_numbers_of_the_same_spikes(noise: str) -> None:
    shown = images()
    program = lower(to_nir(demo_network(), shown[:2]), noise=noise)
    record = run(program, shown, probes=("spikes",))
    assert all(projection.source == INPUT for projection in program.layers[0].projections)
    levels = (shown * 255).round() / 255
    theirs = measured_by_neurobench(Replayed(program, record.spikes), levels, Replay)
    check_equal(measure(program, count_events(program, shown)), theirs)


class Stored(nn.Module):
    """A Program's parameters as torch tensors, at their widths in whole bytes."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        for number, layer in enumerate(program.layers):
            held = {
                **{
                    f"weight{i}": p.weight.astype(np.uint8) for i, p in enumerate(layer.projections)
                },
                "bias": layer.bias_mantissa.astype(np.int16),
                "decay": layer.decay.values.astype(np.int16),
            }
            if layer.threshold_mantissa is not None:
                held["threshold"] = layer.threshold_mantissa.astype(np.int32)
            for name, values in held.items():
                self.register_buffer(f"{name}_{number}", torch.from_numpy(np.asarray(values)))


def test_a_program_s_footprint_is_that_of_its_tensors() -> None:
    static = pytest.importorskip("neurobench.metrics.static", reason="NeuroBench is not installed")
    from neurobench.models import TorchModel

    shown = images()
    program = lower(to_nir(demo_network(), shown[:2]))
    stored = static.Footprint()(TorchModel(Stored(program)))
    assert measure(program, count_events(program, shown[:1])).footprint == stored


def test_a_model_without_data_is_refused() -> None:
    with pytest.raises(InputError, match="no sample"):
        measure_model(nn.Linear(2, 2), [])


def test_a_model_s_operations_are_those_of_its_nonzero_values_and_weights() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0]]))
        net[0].bias.copy_(torch.tensor([-10.0, 10.0]))
    net.train()
    spikes = torch.tensor([[1.0, 0.0, 1.0]])
    found = measure_model(net, [spikes, spikes * 0.5])
    assert (found.effective_acs, found.effective_macs, found.dense) == (1.5, 1.5, 6.0)
    assert (found.connection_sparsity, found.activation_sparsity) == (2 / 6, 0.5)
    assert found.footprint == 8 * 4 and net.training and not net[0]._forward_pre_hooks
