"""Put a residual network on the chip: convolutions, BatchNorm, and spikes added to spikes."""

from pathlib import Path

import snntorch as snn
import torch
from snntorch import functional, utils
from torch import nn

from stochi.data import load_digits
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity


class Network(nn.Module):
    """A SEW block: what the second neuron sends is added to what it received, 0, 1 or 2."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.lif1 = snn.Leaky(beta=0.5, init_hidden=True)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.lif2 = snn.Leaky(beta=0.5, init_hidden=True)
        self.pool, self.fc = nn.AvgPool2d(2), nn.Linear(128, 10)
        self.lif3 = snn.Leaky(beta=0.5, init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        utils.reset(self)
        spk_rec = []
        for _ in range(8):
            spk1 = self.lif1(self.bn1(self.conv1(x)))
            spk2 = self.lif2(self.bn2(self.conv2(spk1))) + spk1
            spk_rec.append(self.lif3(self.fc(self.pool(spk2).flatten(1))))
        return torch.stack(spk_rec)


def main(out: Path = Path("runs/examples"), epochs: int = 5) -> ParityReport:
    """Train, lower, compare; leave a Program and a report in ``out``."""
    torch.manual_seed(0)
    training, test = load_digits()
    network, loss_of = Network(), functional.ce_rate_loss()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for inputs, labels in epochs * list(training.split(64)):
        loss = loss_of(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    program = lower(to_nir(network.eval(), test.inputs[:4]), chip="loihi2")
    program.save(out / "residual.program")
    report = check_parity(network, program, test, trials=1, lava=False, exact_images=64)
    report.save(out / "residual.json")
    for side, accuracy in report.accuracy[0].sides.items():
        print(f"{side}: {accuracy.value:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}]")
    print(f"{report.mismatches} mismatches in {report.compared:,} values")
    return report


if __name__ == "__main__":
    main()
