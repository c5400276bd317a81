"""A study on events, as small as it can be."""

from stochi.study import AttackPlan, EventStudyPlan, EventTraining, PatternPlan

TINY = EventStudyPlan(
    data="saccades",
    samples=8,
    trials=1,
    calibration_samples=2,
    training=EventTraining(samples=400, epochs=4),
    attacks=(
        AttackPlan("random-events", (20,), samples=8, draws=1),
        AttackPlan("sparse-gradient", (5, 20), samples=8, iterations=2, draws=10, crosses=True),
        AttackPlan("sparse-gradient", (20,), (), 8, 2, 10, "adaptive", everywhere=False),
        AttackPlan("retiming", delays=(1,), samples=4, iterations=1, draws=10, everywhere=False),
        AttackPlan("greedy-spikes", (1,), samples=2, draws=1, everywhere=False),
    ),
    patterns=PatternPlan(
        samples=20, changes=(10,), sides=(3,), iterations=2, draws=1, noises=1, asked=8
    ),
)
