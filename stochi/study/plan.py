"""How large a study is: its networks, images, attacks and their budgets."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from stochi.arguments import check_fields
from stochi.devices import DEVICES, check_device
from stochi.errors import InputError, check_at_least_one
from stochi.study.depth import DepthPlan
from stochi.study.options import given
from stochi.study.trials import CHOOSING
from stochi.study.victims import BASELINES, DEFENCES, NEURONS, PLACES, UNTRAINED, Victim
from stochi.train.deep_networks.catalogue import DEEP_NETWORKS
from stochi.train.deep_networks.units import check_random_layers
from stochi.train.training_config import OPTIMIZERS


@dataclass(frozen=True)
class TrainingPlan:
    """How networks are trained.

    Attributes:
        images: number of training images, from the front of the training set.
        epochs: largest number of epochs.
        seeds: number of trainings of each network, whose results are averaged. Baselines and
            networks with another σ are trained once.
        time_steps: number of time steps that an image is shown.
        epsilon: ε of adversarial training, in (0, 1].
        network: a deep network, "sew-resnet19" or "vgg9"; "": a small one that suits the images.
        width: number of channels of a deep network's first stage.
        optimizer: "adam", or "sgd" as in the RandHet paper, with a learning rate of 0.1, momentum
            0.9 and weight decay 1e-4, but on batches of 32. Both follow half a cosine.
        draws: number of EOT samples of the attack in adversarial training; None: the defence's own.
        device: where networks are trained, "cpu" or "cuda"; "": where the study attacks them.
    """

    images: int = 1438
    epochs: int = 25
    seeds: int = 3
    time_steps: int = 8
    epsilon: float = 25 / 255
    network: str = ""
    width: int = 16
    optimizer: str = "adam"
    draws: int | None = None
    device: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(
            training_images=self.images,
            epochs=self.epochs,
            seeds=self.seeds,
            time_steps=self.time_steps,
            width=self.width,
            training_draws=given(self.draws, 1),
        )
        if self.network:
            _check_names("network", (self.network,), tuple(DEEP_NETWORKS))
        _check_names("optimizer", (self.optimizer,), OPTIMIZERS)
        if self.device:
            _check_names("training device", (self.device,), DEVICES)
        _check_epsilon("training_epsilon", self.epsilon)


@dataclass(frozen=True)
class PGDPlan:
    """The budget of PGD through the network's own surrogate, the attack of earlier studies.

    FGSM, AutoAttack's version for random models and Square share its EOT draws, all attacks its ε.

    Attributes:
        epsilon: ε in (0, 1], the largest change of a pixel.
        iterations: number of iterations.
        draws: number of EOT samples.
    """

    epsilon: float = 25 / 255
    iterations: int = 20
    draws: int = 10

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(iterations=self.iterations, draws=self.draws)
        _check_epsilon("epsilon", self.epsilon)


@dataclass(frozen=True)
class SquarePlan:
    """The Square attack, which needs many answers.

    Attributes:
        images: largest number of attacked images.
        iterations: number of squares that are tried.
    """

    images: int = 100
    iterations: int = 300

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(square_images=self.images, square_iterations=self.iterations)


@dataclass(frozen=True)
class AutoAttackPlan:
    """AutoAttack in its version for random models.

    Attributes:
        images: largest number of attacked images.
        iterations: number of iterations of each of its attacks.
    """

    images: int = 359
    iterations: int = 20

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(auto_attack_images=self.images, auto_attack_iterations=self.iterations)


@dataclass(frozen=True)
class EnsemblePlan:
    """AutoAttack in its version for spiking networks, the attack that the study judges by.

    Attributes:
        images: largest number of attacked images.
        iterations: number of iterations of each of its parts.
        draws: number of EOT samples.
        epsilons: ε of further runs, besides that of all attacks.
    """

    images: int = 359
    iterations: int = 100
    draws: int = 2
    epsilons: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(
            ensemble_images=self.images,
            ensemble_iterations=self.iterations,
            ensemble_draws=self.draws,
        )
        for epsilon in self.epsilons:
            _check_epsilon("ensemble_epsilon", epsilon)


@dataclass(frozen=True)
class CurvePlan:
    """Curves of accuracy against the budget of an attack, one part of it varied at a time, and σ.

    The attack is PGD with cosine-decayed steps and the adaptive surrogate, with the iterations and
    draws of the ensemble's parts.

    Attributes:
        images: largest number of attacked images.
        epsilons, iterations, draws: values of each part of the budget, besides the standard one.
        sigmas: spreads of λ's logit, besides 1.
        defences: the defences of the networks that have curves. The random baselines are trained
            with these defences, too.
    """

    images: int = 359
    epsilons: tuple[float, ...] = (10 / 255, 15 / 255, 35 / 255, 1.0)
    iterations: tuple[int, ...] = (20, 500)
    draws: tuple[int, ...] = (1, 10)
    sigmas: tuple[float, ...] = (0.25, 0.5, 2.0, 4.0)
    defences: tuple[str, ...] = ("none", "pgd")

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(curve_images=self.images)


@dataclass(frozen=True)
class SimilarityPlan:
    """Cosines between the gradients, and between the perturbations, of different draws.

    Attributes:
        images: largest number of images.
        draws: number of draws that are compared.
    """

    images: int = 64
    draws: int = 8

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(similarity_images=self.images, similarity_draws=self.draws)


@dataclass(frozen=True)
class StudyPlan:
    """How large a study is.

    Attributes:
        data: name of the data set.
        images: number of test images, from the front of the test set; no attack takes more.
        trials: number of repetitions of every accuracy, each with other draws.
        calibration_images: number of training images that additive noise is fitted to.
        defences: the defences that networks are trained with.
        baselines: the random baselines, keys of ``stochi.study.victims.BASELINES``; "weight-noise"
            takes as long as ten other networks and has to be asked for.
        training: how networks are trained.
        pgd: the budget of PGD, and ε of all attacks.
        square, auto_attack: the other attacks of earlier studies.
        ensemble: the attack that the study judges by.
        curves: the values over which an attack's budget and σ are varied.
        similarity: the comparison of draws.
        places: where networks run, of "float", "mean" (λ at its mean) and the stand-ins on the
            chip; a plain LIF, which has one chip, runs in floats and on that.
        chip_images: largest number of images under an attack on the chip, where a gradient takes
            twice as long; None: as many as in floats.
        batch_size: largest number of images that are attacked, or whose gradients are compared, at
            a time, each in all of its draws; None: as for small networks, hundreds of them. Memory
            grows with it.
        depth: what is asked about depth; None: nothing.
        device: where networks are attacked and run, and unless ``training`` has another device also
            trained, "cpu" or "cuda".

    Raises:
        InputError: a number is out of range, a defence or baseline is unknown, or torch does not
            see the device.
    """

    data: str = "digits"
    images: int = 359
    trials: int = 10
    calibration_images: int = 256
    defences: tuple[str, ...] = DEFENCES
    baselines: tuple[str, ...] = ("spike-pruning", "input-noise", "resize-pad")
    training: TrainingPlan = field(default_factory=TrainingPlan)
    pgd: PGDPlan = field(default_factory=PGDPlan)
    square: SquarePlan = field(default_factory=SquarePlan)
    auto_attack: AutoAttackPlan = field(default_factory=AutoAttackPlan)
    ensemble: EnsemblePlan = field(default_factory=EnsemblePlan)
    curves: CurvePlan = field(default_factory=CurvePlan)
    similarity: SimilarityPlan = field(default_factory=SimilarityPlan)
    places: tuple[str, ...] = PLACES
    chip_images: int | None = None
    batch_size: int | None = None
    depth: DepthPlan | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(self)
        check_device(self.device)
        check_at_least_one(
            images=self.images,
            trials=self.trials,
            calibration_images=self.calibration_images,
            batch_size=given(self.batch_size, 1),
            chip_images=given(self.chip_images, 1),
        )
        _check_names("defences", self.defences, DEFENCES)
        _check_names("curve_defences", self.curves.defences, self.defences)
        _check_names("baselines", self.baselines, tuple(BASELINES))
        _check_names("places", self.places, PLACES)
        if self.depth is not None:
            _check_depth(self.depth, self.training)

    def with_options(
        self,
        *,
        epsilon: float | None = None,
        training_epsilon: float | None = None,
        images: int | None = None,
        training_images: int | None = None,
        epochs: int | None = None,
        seeds: int | None = None,
        device: str | None = None,
    ) -> "StudyPlan":
        """Return the same plan with other values for the options that are given.

        Args:
            epsilon: ε of all attacks; the values on the curve against ε stay.
            training_epsilon: ε of adversarial training.
            images: number of test images.
            training_images: number of training images.
            epochs: largest number of epochs.
            seeds: number of trainings of each network.
            device: where networks are trained, attacked and run.

        Raises:
            InputError: an option is out of range.
        """
        training, pgd = self.training, self.pgd
        return replace(
            self,
            images=given(images, self.images),
            device=given(device, self.device),
            training=replace(
                training,
                images=given(training_images, training.images),
                epochs=given(epochs, training.epochs),
                seeds=given(seeds, training.seeds),
                epsilon=given(training_epsilon, training.epsilon),
            ),
            pgd=replace(pgd, epsilon=given(epsilon, pgd.epsilon)),
        )

    @property
    def training_device(self) -> str:
        """Where networks are trained."""
        return self.training.device or self.device

    def victims(self) -> Iterator[Victim]:
        """Yield every network once."""
        for seed in range(self.training.seeds):
            for defence in self.defences:
                for neuron in NEURONS:
                    yield Victim(neuron, defence, seed=seed)
        for defence in self.curves.defences:
            for randomization in self.baselines:
                yield Victim("LIF", defence, randomization)
            for sigma in self.curves.sigmas:
                yield Victim("RandHet-SNN", defence, sigma=sigma)
        if self.depth is not None:
            for defence in self.depth.compared:
                if defence not in self.defences:
                    yield from (Victim(neuron, defence) for neuron in _not_attacked(defence))

    def attacks(self, victim: Victim) -> bool:
        """Return whether a network is attacked; others only have their draws compared."""
        return victim.defence in self.defences

    def places_of(self, victim: Victim) -> tuple[str, ...]:
        """Return the places where a network runs."""
        if not victim.random_tau:
            return victim.places
        return tuple(place for place in victim.places if place in self.places)

    def has_curves(self, victim: Victim) -> bool:
        """Return whether an attack's budget is varied on this network."""
        plain = not victim.randomization and victim.sigma == 1.0 and victim.seed == 0
        return plain and victim.defence in self.curves.defences

    def varies_depth(self, victim: Victim) -> bool:
        """Return whether depth is varied on this network: a random-τ one, of the first training."""
        first = victim.random_tau and victim.seed == 0 and victim.sigma == 1.0
        return self.depth is not None and first and victim.defence in self.depth.compared

    @property
    def all_trials(self) -> int:
        """Number of all trials: those that choose the worst attack, and those that are reported."""
        return (CHOOSING + 1) * self.trials

    @property
    def square_images(self) -> int:
        """Number of images under the Square attack."""
        return min(self.square.images, self.images)

    @property
    def auto_attack_images(self) -> int:
        """Number of images under AutoAttack's version for random models."""
        return min(self.auto_attack.images, self.images)

    @property
    def ensemble_images(self) -> int:
        """Number of images under AutoAttack's version for spiking networks."""
        return min(self.ensemble.images, self.images)

    @property
    def curve_images(self) -> int:
        """Number of images under the attack whose budget is varied."""
        return min(self.curves.images, self.images)

    @property
    def similarity_images(self) -> int:
        """Number of images on which draws are compared."""
        return min(self.similarity.images, self.images)


def _not_attacked(defence: str) -> Iterator[str]:
    """Yield the neurons of networks that are not attacked; only a trained LIF tells something."""
    for neuron, sampling in NEURONS.items():
        if defence != UNTRAINED or sampling != "mean":
            yield neuron


def _check_depth(depth: DepthPlan, training: TrainingPlan) -> None:
    """Raise InputError unless the networks can be varied as a plan says."""
    _check_names("compared defences", depth.compared, (UNTRAINED, *DEFENCES))
    if not training.network:
        raise InputError("depth needs a deep network: set the training's network")
    deep = DEEP_NETWORKS[training.network]
    for count in (*depth.layers, *depth.attacked_layers):
        check_random_layers(count, deep.layers)


def _check_epsilon(name: str, epsilon: float) -> None:
    if not 0 < epsilon <= 1:
        raise InputError(f"{name} is {epsilon}; it must lie in (0, 1]")


def _check_names(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = set(names) - set(known)
    if unknown:
        raise InputError(f"unknown {what} {', '.join(sorted(unknown))}; known: {', '.join(known)}")
