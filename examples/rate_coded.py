"""Put a network on the chip that is shown spike trains, which code brightness as a rate."""

from pathlib import Path

import snntorch as snn
import torch
from snntorch import functional
from torch import nn

from stochi.data import encode, load_digits
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity


class Network(nn.Module):
    """Spike trains (time steps, batch, 1, 8, 8) → output spikes of every time step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 100), snn.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(100, 10), snn.Leaky(beta=0.9)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        mem1, mem2, spk2_rec = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for frame in spikes:
            spk1, mem1 = self.lif1(self.fc1(frame.flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk2_rec.append(spk2)
        return torch.stack(spk2_rec)


def main(out: Path = Path("runs/examples"), epochs: int = 10) -> ParityReport:
    """Train, lower, compare; leave a Program and a report in ``out``."""
    torch.manual_seed(0)
    digits, held_out = load_digits()
    training = encode(digits, "rate", time_steps=20)
    test = encode(held_out, "rate", time_steps=20, first_sample=len(digits))
    network, loss_of = Network(), functional.ce_count_loss()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for spikes, labels in epochs * list(training.split(64)):
        loss = loss_of(network(spikes), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    program = lower(to_nir(network.eval(), test.first(4).inputs), events=True)
    program.save(out / "rate_coded.program")
    report = check_parity(network, program, test, trials=1, lava=False)
    report.save(out / "rate_coded.json")
    for side, accuracy in report.accuracy[0].sides.items():
        print(f"{side}: {accuracy.value:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}]")
    print(f"{report.mismatches} mismatches in {report.compared:,} values")
    return report


if __name__ == "__main__":
    main()
