"""Random budgets of events, for property tests."""

from hypothesis import strategies as st

from stochi.attacks import EventBudget
from stochi.attacks.events.budget import KINDS


@st.composite
def _draw_budget(draw: st.DrawFn) -> EventBudget:
    kinds = draw(st.sets(st.sampled_from(KINDS), min_size=1))
    return EventBudget(
        count=draw(st.none() | st.integers(0, 9)),
        share=draw(st.none() | st.floats(0, 1)),
        kinds=tuple(sorted(kinds)),
        max_delay=draw(st.integers(1, 9)) if "move-time" in kinds else 0,
        max_distance=draw(st.integers(1, 3)) if "move-space" in kinds else 0,
        keep_polarity=draw(st.booleans()),
        refractory=draw(st.integers(0, 4)),
    )


budgets = _draw_budget()
