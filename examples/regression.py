"""Put a network on the chip that answers with a number: its error there, beside the float model."""

from pathlib import Path

import snntorch as snn
import torch
from torch import nn

from stochi.data import Images, load_digits
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity


class Network(nn.Module):
    """How bright the halves of an image are, read from membranes that never reset."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 64), snn.Leaky(beta=0.8)
        self.fc2, self.lif2 = nn.Linear(64, 2), snn.Leaky(beta=0.8, reset_mechanism="none")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, mem2_rec = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for _ in range(15):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), mem1)
            _, mem2 = self.lif2(self.fc2(spk1), mem2)
            mem2_rec.append(mem2)
        return torch.stack(mem2_rec).mean(0)


def with_targets(images: Images) -> Images:
    """Replace the classes by (batch, 2) floats, which makes it a regression."""
    return Images(images.inputs, images.inputs.unflatten(2, (2, 4)).mean((1, 3, 4)))


def main(out: Path = Path("runs/examples"), epochs: int = 20) -> ParityReport:
    """Train, lower, compare; leave a Program and a report in ``out``."""
    torch.manual_seed(0)
    training, test = (with_targets(images) for images in load_digits())
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for inputs, targets in epochs * list(training.split(64)):
        loss = nn.functional.mse_loss(network(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    program = lower(to_nir(network.eval(), test.inputs[:4]))
    program.save(out / "regression.program")
    report = check_parity(network, program, test, trials=2, lava=False)
    report.save(out / "regression.json")
    print(f"mean squared error if the answer is always the mean: {test.labels.var(0).mean():.5f}")
    for side, error in report.errors.sides.items() if report.errors else ():
        print(f"{side}: {error.value:.5f} [{error.low:.5f}, {error.high:.5f}]")
    print(f"{report.mismatches} mismatches in {report.compared:,} values")
    return report


if __name__ == "__main__":
    main()
