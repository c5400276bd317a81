"""Attack a random-τ network on both sides, the float model and the chip."""

from dataclasses import replace
from pathlib import Path

from stochi.attacks import PGD, AutoAttack, ImageAttack, Square
from stochi.data import load_digits
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity, draw_robustness
from stochi.train import NetworkConfig, TrainingConfig, train_classifier

EPSILONS = (0.05, 0.1, 0.15)


def main(
    out: Path = Path("runs/examples"), epochs: int = 5, images: int = 64, iterations: int = 10
) -> ParityReport:
    """Train, attack, compare both sides under attack, and draw accuracy against ε."""
    train, test = load_digits()
    build = NetworkConfig(channels=(8, 16)).build
    config = TrainingConfig(epochs=epochs, learning_rate=1e-2)
    network, _ = train_classifier(build, train, config)
    attacked = test.first(images)
    # A surrogate gradient belongs to training, not to the network's answers, so an attacker chooses
    # another one. The trained one is often too flat, and hides the way to a wrong answer. EOT
    # averages each gradient over ``draws`` runs.
    pgd = PGD(EPSILONS[1], iterations=iterations, draws=5, schedule="cosine")
    for surrogates in ("own", "atan-25", "adaptive"):
        attack = replace(pgd, surrogates=surrogates)
        changed = attack(network, attacked.inputs, attacked.labels)
        correct = network(changed).argmax(1) == attacked.labels
        print(f"{attack.name}: {correct.double().mean():.1%} correct")

    # The same attacks on both sides, at each ε. AutoAttack's version for spiking networks follows
    # the gradients of the float model and of the twin, which has the chip's integers. Square needs
    # only answers: if it left less right, gradients would be hiding something.
    attacks: list[ImageAttack] = [
        AutoAttack(EPSILONS[1], version="snn", iterations=iterations, draws=5),
        Square(EPSILONS[1], iterations=5 * iterations, draws=2),
    ]
    program = lower(to_nir(network, test.inputs[:1]), chip="loihi2")
    report = check_parity(
        network, program, attacked, attacks=attacks, epsilons=EPSILONS, trials=3, lava=False
    )
    report.save(out / "attack.json")
    draw_robustness(report, out / "attack.png")
    for row in report.accuracy:
        where = f", made on the {row.made_on} side" if row.made_on else ""
        values = ", ".join(f"{side} {one.value:.1%}" for side, one in row.sides.items())
        print(f"{row.attack}{where}: {values}")
    print("\n".join(report.warnings()) or "no warnings")
    return report


if __name__ == "__main__":
    main()
