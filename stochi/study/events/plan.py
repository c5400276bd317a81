"""How large a study on events is: its networks, recordings, attacks and patterns."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from stochi.arguments import check_fields
from stochi.attacks.events.budget import MOVE_TIME, EventBudget
from stochi.attacks.events.catalogue import event_attack_class
from stochi.attacks.surrogates.choice import OWN
from stochi.devices import check_device
from stochi.errors import InputError, check_at_least_one
from stochi.study.options import given
from stochi.study.trials import CHOOSING
from stochi.study.victims import NEURONS, Victim

NETWORKS = ("mlp", "conv")


@dataclass(frozen=True)
class EventTraining:
    """How networks for events are trained.

    Attributes:
        samples: number of training recordings, from the front of the training part.
        epochs: largest number of epochs.
        seeds: number of trainings of each network, whose results are averaged.
        network: "mlp" or "conv", as ``stochi train`` has them.
    """

    samples: int = 1200
    epochs: int = 20
    seeds: int = 1
    network: str = "mlp"

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(training_samples=self.samples, epochs=self.epochs, seeds=self.seeds)
        if self.network not in NETWORKS:
            raise InputError(f"network is {self.network!r}; choose from {', '.join(NETWORKS)}")


@dataclass(frozen=True)
class AttackPlan:
    """One attack, at each of its budgets.

    Attributes:
        name: a name of ``stochi.attacks.make_event_attack``.
        changes: numbers of events that it may insert and delete.
        delays: time steps by which it may move events, each with any number of moves.
        samples: number of attacked recordings, from the front of the test part.
        iterations: iterations of the attack; None for its own default.
        draws: EOT samples.
        surrogates: what stands in for a spike's derivative.
        everywhere: whether it is made in every place; if not, in floats and on the chip that draws
            as the network does.
        crosses: whether it is also shown to the other networks.
    """

    name: str
    changes: tuple[int, ...] = ()
    delays: tuple[int, ...] = ()
    samples: int = 100
    iterations: int | None = None
    draws: int = 4
    surrogates: str = OWN
    everywhere: bool = True
    crosses: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        event_attack_class(self.name)
        check_at_least_one(
            attack_samples=self.samples,
            attack_draws=self.draws,
            attack_iterations=1 if self.iterations is None else self.iterations,
            attack_changes=min(self.changes, default=1),
            attack_delays=min(self.delays, default=1),
        )

    @property
    def budgets(self) -> list[EventBudget]:
        """Every budget as a value, the smaller ones first."""
        return [EventBudget(count) for count in sorted(self.changes)] + [
            EventBudget(kinds=(MOVE_TIME,), max_delay=delay) for delay in sorted(self.delays)
        ]


@dataclass(frozen=True)
class PatternPlan:
    """Patterns for all recordings: universal perturbations and patches, and what they must beat.

    Attributes:
        samples: number of training recordings that they are trained on.
        changes: numbers of events of a universal perturbation.
        sides: sides in pixels of a patch, at random places, with as many events as are realizable.
        iterations: number of gradients of a training.
        draws: runs of the model that a gradient is averaged over.
        noises: number of procedural noises that are tried by queries.
        asked: number of training recordings by which they are.
    """

    samples: int = 400
    changes: tuple[int, ...] = (30, 100)
    sides: tuple[int, ...] = (3,)
    iterations: int = 40
    draws: int = 2
    noises: int = 20
    asked: int = 100

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(
            pattern_samples=self.samples,
            pattern_changes=min(self.changes, default=1),
            pattern_sides=min(self.sides, default=1),
            pattern_iterations=self.iterations,
            pattern_draws=self.draws,
            pattern_noises=self.noises,
            pattern_asked=self.asked,
        )


@dataclass(frozen=True)
class EventStudyPlan:
    """How large a study on events is.

    Attributes:
        data: name of the data set.
        samples: number of test recordings, from the front of the test part; no attack takes more.
        trials: number of repetitions of every success rate, each with other draws.
        calibration_samples: number of training recordings that additive noise is fitted to.
        training: how networks are trained.
        attacks: the attacks with their budgets.
        patterns: universal perturbations and patches.
        device: where networks are trained, attacked and run, "cpu" or "cuda".

    Raises:
        InputError: a number is out of range, an attack is unknown, or torch does not see the
            device.
    """

    data: str = "saccades"
    samples: int = 100
    trials: int = 5
    calibration_samples: int = 128
    training: EventTraining = field(default_factory=EventTraining)
    attacks: tuple[AttackPlan, ...] = ()
    patterns: PatternPlan = field(default_factory=PatternPlan)
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(self)
        check_device(self.device)
        check_at_least_one(
            samples=self.samples, trials=self.trials, calibration_samples=self.calibration_samples
        )

    def with_options(
        self,
        *,
        samples: int | None = None,
        training_samples: int | None = None,
        epochs: int | None = None,
        seeds: int | None = None,
        device: str | None = None,
    ) -> "EventStudyPlan":
        """Return the same plan with other values for the options that are given.

        Args:
            samples: number of test recordings.
            training_samples: number of training recordings.
            epochs: largest number of epochs.
            seeds: number of trainings of each network.
            device: where networks are trained, attacked and run.

        Raises:
            InputError: an option is out of range.
        """
        training = replace(
            self.training,
            samples=given(training_samples, self.training.samples),
            epochs=given(epochs, self.training.epochs),
            seeds=given(seeds, self.training.seeds),
        )
        return replace(
            self,
            samples=given(samples, self.samples),
            training=training,
            device=given(device, self.device),
        )

    def victims(self) -> Iterator[Victim]:
        """Yield every network once."""
        for seed in range(self.training.seeds):
            for neuron in NEURONS:
                yield Victim(neuron, seed=seed)

    @property
    def all_trials(self) -> int:
        """Number of all trials: those that choose, and those that are reported.

        The first choose the recordings that count, right without an attack, and the worst attack.
        """
        return (CHOOSING + 1) * self.trials
