"""Fit a stock chip's noise generator in place of drawn decays, and see what that costs."""

from pathlib import Path

import torch

from stochi.data import load_digits
from stochi.deploy import Program, calibrate, lower
from stochi.export import to_nir
from stochi.sim import run
from stochi.statistics import estimate_accuracy
from stochi.train import NetworkConfig, TrainingConfig, train_classifier

TRIALS = 3


def main(
    out: Path = Path("runs/examples"), epochs: int = 5, images: int = 128
) -> dict[str, Program]:
    """Train, fit noise to training images, and compare it with drawn decays and with none."""
    train, test = load_digits()
    build = NetworkConfig(channels=(8, 16)).build
    config = TrainingConfig(epochs=epochs, learning_rate=1e-2)
    network, _ = train_classifier(build, train, config)
    graph = to_nir(network, test.inputs[:1])

    # Fit to training images; the test images then show how well the fit carries over.
    fitted, fits = calibrate(graph, train.inputs[:images], noise="membrane", progress=print)
    fitted.save(out / "calibration.program")
    for fit in fits:
        print(
            f"{fit.layer}: noise ±{fit.amplitude:.3g}, rate {fit.rate:.4f} in place of"
            f" {fit.reference_rate:.4f} ({fit.rate_error:+.1%}); the input of the layers behind has"
            f" {fit.spread_ratio:.2f} times the variance"
        )

    programs = {
        "decay": lower(graph, noise="decay"),  # a programmable neuron draws τ
        "membrane": fitted,  # a stock neuron: mean τ, and the fitted noise
        "none": lower(graph, noise="none"),  # mean τ alone
    }
    for noise, program in programs.items():
        rates: dict[str, float] = {}
        correct = []
        for trial in range(TRIALS):
            record = run(program, test.inputs, trial=trial, probes=("spikes",))
            correct.append(record.predictions() == test.labels)
            for layer, spikes in record.spikes.items():
                rates[layer] = rates.get(layer, 0.0) + float(spikes.double().mean()) / TRIALS
        accuracy = estimate_accuracy(torch.stack(correct))
        shown = ", ".join(f"{layer} {rate:.4f}" for layer, rate in rates.items())
        print(
            f"noise {noise}: accuracy {accuracy.value:.1%}"
            f" [{accuracy.low:.1%}, {accuracy.high:.1%}], rates {shown}"
        )
    return programs


if __name__ == "__main__":
    main()
