"""Mapping of networks to cores: the demo's, SEW-ResNet19 at 16 and 128 channels, and one too large.

SEW-ResNet19 is not trained: where its neurons go does not depend on its weights. Export and
lowering of 128 channels take about a minute and 1.6 GB.

    python -m benchmarks.mapping
"""

import argparse
import time
import warnings

import torch
from torch import nn

from stochi.commands.console import Output
from stochi.commands.map import draw_text, layer_rows, summary
from stochi.deploy import Program, lower, map_cores
from stochi.export import to_nir
from stochi.train import NetworkConfig, RandomTauLeaky, RepeatSteps
from stochi.train.deep_networks.sew_resnet import sew_resnet19


def demo() -> nn.Module:
    """The network of ``stochi demo``, with random weights."""
    return NetworkConfig(input_shape=(1, 8, 8)).build()


def too_large() -> nn.Module:
    """Neurons with more inputs than a core of Loihi 1 has axons."""
    linear = nn.Linear(5000, 64, bias=False)
    nn.init.uniform_(linear.weight, -0.5, 0.5)
    neurons = RandomTauLeaky(threshold=0.5, init_hidden=True)
    return RepeatSteps(nn.Sequential(linear, neurons), 4)


def programs(network: nn.Module, shape: tuple[int, ...], events: bool) -> dict[str, Program]:
    """Lower a network for both chips: random τ for Loihi 2, mean τ and events for Loihi 1."""
    graph = to_nir(network.eval(), torch.rand(1, *shape))
    return {
        "loihi2": lower(graph, events=events),
        "loihi1": lower(graph, "loihi1", "none", events=True),
    }


def main() -> None:
    """Print the mappings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, nargs="*", default=[16, 128])
    chosen = parser.parse_args()
    output = Output(as_json=False)
    warnings.simplefilter("ignore")  # of quiet layers: nothing is trained
    torch.manual_seed(0)
    networks: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        "the demo's network": (demo(), (1, 8, 8))
    }
    for channels in chosen.channels:
        name = f"SEW-ResNet19, {channels} channels"
        networks[name] = (sew_resnet19(width=channels, time_steps=2), (3, 32, 32))
    torch.manual_seed(0)  # the same weights, whatever was drawn before
    networks["5,000 inputs"] = (too_large(), (5000,))
    for name, (network, shape) in networks.items():
        for chip, program in programs(network, shape, events=len(shape) == 1).items():
            started = time.perf_counter()
            mapping = map_cores(program)
            seconds = time.perf_counter() - started
            output.line(f"== {name}, {chip}: mapped in {seconds:.1f} s")
            if mapping.cores:
                output.table(layer_rows(mapping), f"Cores of {chip}")
                for line in draw_text(mapping):
                    output.line(line)
            for line in summary(mapping):
                output.line(line)
            output.line("")


if __name__ == "__main__":
    main()
