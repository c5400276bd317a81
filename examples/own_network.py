"""Put an ordinary snnTorch network on the chip, and then the same network with random τ."""

from pathlib import Path

import snntorch as snn
import torch

from stochi.data import load_digits
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import check_parity
from stochi.train import RandomTauLeaky


class Network(torch.nn.Module):
    """The network of snnTorch's tutorial 5: default reset, spikes and membranes returned."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = torch.nn.Linear(64, 100), snn.Leaky(beta=0.95)
        self.fc2, self.lif2 = torch.nn.Linear(100, 10), snn.Leaky(beta=0.95)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for _ in range(25):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec), torch.stack(mem2_rec)


def main(out: Path = Path("runs/examples"), epochs: int = 10) -> None:
    """Train both, lower and compare them; leave Programs and reports in ``out``."""
    torch.manual_seed(0)
    training, test = load_digits()
    networks = {"own_network": Network(), "random_tau": Network()}
    networks["random_tau"].lif1 = RandomTauLeaky(sigma=1.0)
    for name, network in networks.items():
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for inputs, labels in epochs * list(training.split(64)):
            loss = sum(torch.nn.functional.cross_entropy(mem, labels) for mem in network(inputs)[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        program = lower(to_nir(network.eval(), test.inputs[:4]), chip="loihi2")
        program.save(out / f"{name}.program")
        report = check_parity(network, program, test, trials=3)
        report.save(out / f"{name}.json")
        report.to_html(out / f"{name}.html")
        print(name)
        for side, accuracy in report.accuracy[0].sides.items():
            print(f"{side}: {accuracy.value:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}]")
        print(f"{report.mismatches} mismatches in {report.compared:,} values")
        print(*report.warnings() or ["no warnings"], sep="\n")


if __name__ == "__main__":
    main()
