"""The RandHet study: is a network with random τ harder to attack, on the GPU and on the chip?"""

from stochi.study.conduct import conduct
from stochi.study.plan import StudyPlan, plan_for

__all__ = ["StudyPlan", "conduct", "plan_for"]
