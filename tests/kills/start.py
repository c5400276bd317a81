"""``stochi`` with a demo and a study of the smallest size; the code that runs is the same."""

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import stochi.commands.demo
import stochi.study
from stochi.__main__ import main
from stochi.commands.demo_plan import DemoPlan, plan_demo

if TYPE_CHECKING:
    from stochi.study import StudyPlan


def plan_tiny_demo(data: str, seed: int, epsilon: float) -> DemoPlan:
    """Return the demo's plan with one epoch, few samples and the weak attack alone."""
    plan = plan_demo(data, seed, epsilon)
    return replace(
        plan,
        training=replace(plan.training, epochs=1),
        attacks=plan.attacks[:1],
        exact_images=8,
        attack_images=8,
    )


def plan_tiny_study(*_: object) -> "StudyPlan":
    """Return the plan of the study's own tests."""
    from stochi.study.presets import plan_for

    shrunk: Any = stochi.study
    shrunk.plan_for = plan_for  # which the plan comes from
    from tests.study.test_study import TINY

    return TINY


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    shrunk: Any = stochi.commands.demo
    shrunk.plan_demo, shrunk.TRIALS = plan_tiny_demo, 2
    shrunk = stochi.study
    shrunk.plan_for = plan_tiny_study
    main()
