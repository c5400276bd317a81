"""Networks as snnTorch's users write them, after its tutorials."""

from collections.abc import Callable

import snntorch as snn
import torch
from snntorch import spikegen, surrogate, utils
from torch import nn

STEPS = 10


def strong(net: nn.Module, factor: float = 3.0) -> nn.Module:
    """Make weights large enough for spikes, and batch norms unlike the identity."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.weight *= factor
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
                module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
                module.weight.data.uniform_(0.5, 2)
                module.bias.data.uniform_(-0.2, 0.2)
    return net.eval()


class Tutorial5(nn.Module):
    """A fully connected network with the default reset, which returns spikes and membranes."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 40)
        self.lif1 = snn.Leaky(beta=0.95)
        self.fc2 = nn.Linear(40, 10)
        self.lif2 = snn.Leaky(beta=0.95)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec = []
        mem2_rec = []
        for _ in range(STEPS):
            cur1 = self.fc1(x.view(x.size(0), -1))
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


class Tutorial6(nn.Module):
    """A convolutional network in nn.Sequential, its states hidden.

    Args:
        published: whether currents are pooled, as the tutorial does; else spikes are.
    """

    def __init__(self, published: bool = False) -> None:
        super().__init__()
        grad = surrogate.fast_sigmoid(slope=25)

        def pooled() -> list[nn.Module]:
            neuron = snn.Leaky(beta=0.5, spike_grad=grad, init_hidden=True)
            return [nn.MaxPool2d(2), neuron] if published else [neuron, nn.MaxPool2d(2)]

        self.net = nn.Sequential(
            *(nn.Conv2d(1, 6, 3), *pooled()),
            *(nn.Conv2d(6, 8, 2), *pooled()),
            nn.Flatten(),
            nn.Linear(8, 10),
            snn.Leaky(beta=0.5, spike_grad=grad, init_hidden=True, output=True),
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        utils.reset(self.net)
        spk_rec, mem_rec = [], []
        for _ in range(STEPS):
            spk_out, mem_out = self.net(x)
            spk_rec.append(spk_out)
            mem_rec.append(mem_out)
        return torch.stack(spk_rec), torch.stack(mem_rec)


class SynapticNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 30)
        self.lif1 = snn.Synaptic(alpha=0.8, beta=0.7)
        self.fc2 = nn.Linear(30, 10)
        self.lif2 = snn.Synaptic(alpha=0.6, beta=0.9, reset_mechanism="zero")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        syn1, mem1 = self.lif1.init_synaptic()
        syn2, mem2 = self.lif2.init_synaptic()
        spk2_rec, mem2_rec = [], []
        for _ in range(STEPS):
            spk1, syn1, mem1 = self.lif1(self.fc1(x.flatten(1)), syn1, mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec), torch.stack(mem2_rec)


class RLeakyNet(nn.Module):
    """snnTorch's recurrent neuron."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 30)
        self.lif1 = snn.RLeaky(beta=0.8, linear_features=30)
        self.fc2 = nn.Linear(30, 10)
        self.lif2 = snn.RLeaky(beta=0.8, all_to_all=False, V=-0.5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        spk1, mem1 = self.lif1.init_rleaky()
        spk2, mem2 = self.lif2.init_rleaky()
        spk2_rec, mem2_rec = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), spk1, mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), spk2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec), torch.stack(mem2_rec)


class HandMade(nn.Module):
    """Recurrence written by hand, over one layer and from the last layer to the first."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 30)
        self.fc_rec = nn.Linear(30, 30)
        self.fc_back = nn.Linear(10, 30, bias=False)
        self.lif1 = snn.Leaky(beta=0.9)
        self.fc2 = nn.Linear(30, 10)
        self.lif2 = snn.Leaky(beta=0.9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spk1 = torch.zeros(x.size(0), 30)
        spk2 = torch.zeros(x.size(0), 10)
        out = []
        for _ in range(STEPS):
            cur = self.fc1(x.flatten(1)) + self.fc_rec(spk1) + self.fc_back(spk2)
            spk1, mem1 = self.lif1(cur, mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            out.append(spk2)
        return torch.stack(out).sum(0)


class Residual(nn.Module):
    """A residual block, of spikes (SEW) or of currents (MS), with BatchNorm."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv1, self.bn1 = nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv3, self.bn3 = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.lif1, self.lif2, self.lif3 = (
            snn.Leaky(beta=0.7, threshold=0.6, init_hidden=True) for _ in range(3)
        )
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(24, 10)

    def step(self, x: torch.Tensor) -> torch.Tensor:
        first = self.bn1(self.conv1(x))
        if self.kind == "sew":
            spikes = self.lif1(first)
            spikes = self.lif2(self.bn2(self.conv2(spikes))) + spikes
            spikes = self.lif3(self.bn3(self.conv3(spikes))) + spikes
        else:
            stream = first
            stream = stream + self.bn2(self.conv2(self.lif1(stream)))
            stream = stream + self.bn3(self.conv3(self.lif2(stream)))
            spikes = self.lif3(stream)
        return self.fc(self.pool(spikes).flatten(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        utils.reset(self)
        return torch.stack([self.step(x) for _ in range(STEPS)]).mean(0)


class RateCoded(nn.Module):
    """A network that draws its own spikes from the images."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(64, 10), snn.Leaky(beta=0.9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        events = spikegen.rate(x.flatten(1), num_steps=STEPS)
        mem, out = self.lif.reset_mem(), []
        for step in range(STEPS):
            spk, mem = self.lif(self.fc(events[step]), mem)
            out.append(spk)
        return torch.stack(out)


class EventsNet(nn.Module):
    """The same network on events drawn outside, (steps, batch, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(64, 10), snn.Leaky(beta=0.9)

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        mem, out = self.lif.reset_mem(), []
        for step in range(events.size(0)):
            spk, mem = self.lif(self.fc(events[step]), mem)
            out.append(spk)
        return torch.stack(out)


class Regression(nn.Module):
    """A non-spiking readout, whose membrane is the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 30), snn.Leaky(beta=0.8, learn_beta=True)
        self.fc2, self.lif2 = nn.Linear(30, 1), snn.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        out = []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), mem1)
            _, mem2 = self.lif2(self.fc2(spk1), mem2)
            out.append(mem2)
        return torch.stack(out)


IMAGE = (1, 8, 8)
TUTORIALS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str, str]] = {
    "tutorial 5": (Tutorial5, IMAGE, "steps", "spikes"),
    "tutorial 6, spikes pooled": (Tutorial6, IMAGE, "steps", "spikes"),
    "Synaptic": (SynapticNet, IMAGE, "steps", "spikes"),
    "RLeaky": (RLeakyNet, IMAGE, "steps", "spikes"),
    "hand-made recurrence": (HandMade, IMAGE, "sum", "spikes"),
    "SEW residual": (lambda: Residual("sew"), IMAGE, "mean", "spikes"),
    "MS residual": (lambda: Residual("ms"), IMAGE, "mean", "spikes"),
    "regression": (Regression, IMAGE, "steps", "membrane"),
}
"""Builders by name, with the image's shape, how the output is read, and what of the neurons."""
REFUSED: dict[str, Callable[[], nn.Module]] = {
    "tutorial 6 as published, currents pooled": lambda: Tutorial6(published=True),
}
"""Builders by name of networks of images that no chip takes."""
