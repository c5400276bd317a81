"""The attacks on events, by name."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from stochi.arguments import check_arguments
from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.boundary import Boundary
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.corner import CornerAttack
from stochi.attacks.events.dash import DashAttack
from stochi.attacks.events.frame import FrameAttack
from stochi.attacks.events.greedy_spikes import GreedySpikes
from stochi.attacks.events.mask_aware_dash import MaskAwareDashAttack
from stochi.attacks.events.probabilistic_pgd import ProbabilisticPGD
from stochi.attacks.events.random_events import RandomEvents
from stochi.attacks.events.retiming import Retiming
from stochi.attacks.events.sparse_gradient import SparseGradient
from stochi.attacks.events.spike_fool import SpikeFool
from stochi.attacks.events.top_gradient import TopGradient
from stochi.attacks.surrogates.choice import SurrogateChoice
from stochi.errors import InputError

_KINDS: dict[str, type[EventAttack]] = {
    "random-events": RandomEvents,
    "greedy-spikes": GreedySpikes,
    "boundary": Boundary,
    "sparse-gradient": SparseGradient,
    "probabilistic-pgd": ProbabilisticPGD,
    "spike-fool": SpikeFool,
    "retiming": Retiming,
    "top-gradient": TopGradient,
    "frame": FrameAttack,
    "corner": CornerAttack,
    "dash": DashAttack,
    "mask-aware-dash": MaskAwareDashAttack,
}
EVENT_ATTACK_NAMES = tuple(_KINDS)


def make_event_attack(
    name: str,
    budget: EventBudget | int,
    *,
    iterations: int | None = None,
    draws: int | None = None,
    surrogates: SurrogateChoice | Sequence[SurrogateChoice] | None = None,
    seed: int = 0,
) -> EventAttack:
    """Make an attack on events by its name.

    Args:
        name: one of :data:`EVENT_ATTACK_NAMES`.
        budget: an :class:`EventBudget`, or a whole number of insertions and deletions.
        iterations, draws, surrogates: the attack's own defaults if None. An attack ignores those
            that it does not have (random-events has no iterations).
        seed: seed of the attack's own random choices.

    Raises:
        InputError: there is no attack of that name, a number is out of range, or the attack can use
            none of the budget's kinds.
    """
    check_arguments(make_event_attack, locals())
    given = {"iterations": iterations, "draws": draws, "surrogates": surrogates}
    known = event_options_of(name)
    options: dict[str, Any] = {k: v for k, v in given.items() if k in known and v is not None}
    return _KINDS[name](budget=budget, seed=seed, **options)


def event_options_of(name: str) -> set[str]:
    """Return which of ``iterations``, ``draws`` and ``surrogates`` an attack on events has.

    Raises:
        InputError: there is no attack of that name.
    """
    known = {field.name for field in fields(event_attack_class(name))}
    return known & {"iterations", "draws", "surrogates"}


def event_attack_class(name: str) -> type[EventAttack]:
    """Return the class of an attack on events.

    Raises:
        InputError: there is no attack of that name.
    """
    if name not in _KINDS:
        raise InputError(f"attack is {name!r}; choose from {', '.join(EVENT_ATTACK_NAMES)}")
    return _KINDS[name]
