"""Train a network of your own, put it on the chip and check that it still behaves the same."""

from pathlib import Path

import torch
from torch import nn

from stochi.data import load_digits
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity
from stochi.sim import run
from stochi.train import RandomTauLeaky, TrainingConfig, train_classifier


class Network(nn.Module):
    """An ordinary snnTorch network, with RandomTauLeaky in place of snn.Leaky."""

    def __init__(self, time_steps: int = 8) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 100)
        self.neurons = RandomTauLeaky(sigma=1.0)
        self.readout = nn.Linear(100, 10)
        self.time_steps = time_steps

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (batch, classes) logits, the mean of the readout over all time steps."""
        membrane, outputs = self.neurons.init_leaky(), []
        for _ in range(self.time_steps):
            spikes, membrane = self.neurons(self.hidden(images.flatten(1)), membrane)
            outputs.append(self.readout(spikes))
        return torch.stack(outputs).mean(0)


def main(out: Path = Path("runs/examples"), epochs: int = 10) -> ParityReport:
    """Train, export, lower, run and compare; leave a Program and a report in ``out``."""
    train, test = load_digits()
    config = TrainingConfig(epochs=epochs, learning_rate=1e-2)
    network, history = train_classifier(Network, train, config)
    best = max(epoch.validation_accuracy for epoch in history)
    print(f"{len(history)} epochs, best validation accuracy {best:.1%}")

    program = lower(to_nir(network, test.inputs[:1]), chip="loihi2")
    program.save(out / "own_network.program")
    record = run(program, test.inputs, seed=1, probes=("spikes",))
    accuracy = (record.predictions() == test.labels).double().mean()
    print(f"{program}\nOn the engine: {accuracy:.1%} of {len(test)} images")
    for layer, spikes in record.spikes.items():
        print(f"  {layer}: {spikes.double().mean():.3f} spikes per neuron and time step")

    report = check_parity(network, program, test, trials=3, lava=False)  # Lava is optional
    report.save(out / "own_network.json")
    report.to_html(out / "own_network.html")
    print(f"{report.mismatches} mismatches in {report.compared:,} values")
    print("\n".join(report.warnings()) or "no warnings")
    return report


if __name__ == "__main__":
    main()
