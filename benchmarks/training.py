"""Time of a training step: a float model and its twin, beside the same network with snn.Leaky.

.venv/bin/python -m benchmarks.training
"""

import copy
from collections.abc import Callable

import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from benchmarks.timing import in_turns
from stochi.commands.console import Output
from stochi.deploy import calibrate
from stochi.export import to_nir
from stochi.train import make_twin
from stochi.train.networks import small_conv_net

BATCH = 64
ROUNDS = 3


def plain_leaky(network: nn.Module) -> nn.Module:
    """Copy a network and give it snnTorch's own neurons."""
    plain = copy.deepcopy(network)
    for name in ("lif1", "lif2"):
        neuron = snn.Leaky(0.5, threshold=0.5, init_hidden=True, reset_mechanism="zero")
        setattr(plain.network, name, neuron)
    return plain


def training_step(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor
) -> Callable[[], None]:
    """Return a function that does one training step."""
    optimizer = torch.optim.Adam(model.train().parameters(), 1e-3)

    def step() -> None:
        loss = functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def main() -> None:
    """Print the table."""
    output = Output(as_json=False)
    rows = [["images", "neurons", "ms a training step", "× snn.Leaky"]]
    for shape, channels in (((1, 8, 8), (16, 32)), ((3, 32, 32), (32, 64))):
        torch.manual_seed(0)
        images, labels = torch.rand(BATCH, *shape), torch.randint(10, (BATCH,))
        network = small_conv_net(shape, channels=channels)
        graph = to_nir(network, images[:1])
        fitted, _ = calibrate(graph, images[:16], method="moments")
        models = {
            "snn.Leaky": plain_leaky(network),
            "random τ, float": copy.deepcopy(network),
            "random τ, twin": make_twin(network, images[:1]),
            "noise on the membrane, twin": make_twin(
                network, images[:1], noise="membrane", fitted=fitted
            ),
        }
        output.progress(f"{shape}: a batch of {BATCH}")
        taken = in_turns({n: training_step(m, images, labels) for n, m in models.items()}, ROUNDS)
        for name, seconds in taken.items():
            ratio = seconds / taken["snn.Leaky"]
            row = ["×".join(map(str, shape)), name, f"{1e3 * seconds:.1f}", f"{ratio:.2f}"]
            rows.append(row)
    output.table(rows, f"Training steps, batch {BATCH}, T = 8, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
