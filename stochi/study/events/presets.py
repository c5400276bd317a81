"""Ready-made plans of studies on events."""

from dataclasses import replace

from stochi.arguments import check_arguments
from stochi.attacks.surrogates.choice import ADAPTIVE
from stochi.study.events.plan import AttackPlan, EventStudyPlan, EventTraining, PatternPlan

DELAYS = (1, 2, 3)


def _attacks(counts: tuple[int, ...], everywhere: bool, few: int) -> tuple[AttackPlan, ...]:
    """Return the attacks of a whole study.

    Args:
        counts: the numbers of changes.
        everywhere: whether all are made in every place; if not, only one at one budget is.
        few: number of recordings under the attacks that ask thousands of times.
    """
    sparse = AttackPlan(
        "sparse-gradient", counts, iterations=25, draws=2, everywhere=everywhere, crosses=True
    )
    simple = AttackPlan("frame", counts[1:], draws=2, everywhere=everywhere)
    asking = AttackPlan("greedy-spikes", samples=few, draws=1, everywhere=False)
    return (
        AttackPlan("random-events", counts, draws=1),
        sparse,
        replace(sparse, changes=counts[1:2], everywhere=True),
        replace(sparse, surrogates=ADAPTIVE),
        replace(sparse, name="probabilistic-pgd", iterations=30, crosses=False),
        replace(sparse, name="spike-fool", iterations=10, crosses=False),
        replace(sparse, name="retiming", changes=(), delays=DELAYS, iterations=12),
        simple,
        replace(simple, name="corner"),
        replace(simple, name="dash"),
        replace(simple, name="mask-aware-dash"),
        replace(asking, changes=counts[:1]),
        replace(asking, name="boundary", changes=counts[1:2], iterations=200, draws=4),
    )


SACCADES = EventStudyPlan(
    data="saccades",
    calibration_samples=64,
    training=EventTraining(samples=1200, epochs=20),
    attacks=_attacks((10, 30, 100), False, 30),
    patterns=PatternPlan(changes=(30, 100), sides=(3, 5)),
)
"""The simulated recordings, in a quarter of an hour on two cores."""
NMNIST = EventStudyPlan(
    data="nmnist",
    calibration_samples=64,
    training=EventTraining(samples=900, epochs=25),
    attacks=_attacks((30, 100, 300), False, 10),
    patterns=PatternPlan(changes=(100, 300, 1000), sides=(5, 8)),
)
"""The first recordings of N-MNIST, on which attacks are usually compared."""
QUICK = EventStudyPlan(
    samples=20,
    trials=2,
    calibration_samples=32,
    training=EventTraining(samples=300, epochs=6),
    attacks=(
        AttackPlan("random-events", (30,), (), 20, None, 1),
        AttackPlan("sparse-gradient", (10, 30), (), 20, 15, 2, crosses=True),
        AttackPlan("sparse-gradient", (30,), (), 20, 15, 2, ADAPTIVE, crosses=True),
        AttackPlan("retiming", (), (1,), 20, 8, 2, everywhere=False),
        AttackPlan("frame", (30,), (), 20, None, 2),
        AttackPlan("greedy-spikes", (10,), (), 4, None, 1, everywhere=False),
    ),
    patterns=PatternPlan(
        samples=100, changes=(30,), sides=(3,), iterations=10, draws=1, noises=4, asked=30
    ),
)
"""A look at any set of events in a few minutes."""


def event_plan_for(data: str, quick: bool) -> EventStudyPlan:
    """Return the plan for a data set of events.

    Args:
        data: name of the data set. Another one than ``saccades`` and ``nmnist`` gets the plan of
            ``nmnist``.
        quick: whether to ask only a small part, in minutes.
    """
    check_arguments(event_plan_for, locals())
    plan = QUICK if quick else SACCADES if data == SACCADES.data else NMNIST
    return replace(plan, data=data)
