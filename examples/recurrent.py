"""Put a recurrent network on the chip, whose neurons send their spikes to each other."""

from pathlib import Path

import snntorch as snn
import torch
from snntorch import functional
from torch import nn

from stochi.data import load_digits
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity


class Network(nn.Module):
    """snnTorch's RLeaky, whose spikes come back a time step later, and an output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 64), snn.RLeaky(beta=0.8, linear_features=64)
        self.fc2, self.lif2 = nn.Linear(64, 10), snn.Leaky(beta=0.8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spk1, mem1 = self.lif1.init_rleaky()
        mem2, spk2_rec = self.lif2.init_leaky(), []
        for _ in range(10):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), spk1, mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk2_rec.append(spk2)
        return torch.stack(spk2_rec)


def main(out: Path = Path("runs/examples"), epochs: int = 10) -> ParityReport:
    """Train, lower, compare; leave a Program and a report in ``out``."""
    torch.manual_seed(0)
    training, test = load_digits()
    network, loss_of = Network(), functional.ce_rate_loss()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for inputs, labels in epochs * list(training.split(64)):
        loss = loss_of(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    program = lower(to_nir(network.eval(), test.inputs[:4]), chip="loihi2")
    program.save(out / "recurrent.program")
    report = check_parity(network, program, test, trials=1, lava=False)
    report.save(out / "recurrent.json")
    for side, accuracy in report.accuracy[0].sides.items():
        print(f"{side}: {accuracy.value:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}]")
    print(f"{report.mismatches} mismatches in {report.compared:,} values")
    return report


if __name__ == "__main__":
    main()
