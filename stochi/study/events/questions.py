"""The questions of a study on events: each asks how often a victim is right about what it sees."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stochi.attacks.events.budget import MOVE_TIME, EventBudget
from stochi.attacks.events.catalogue import event_attack_class
from stochi.attacks.surrogates.choice import OWN
from stochi.plain_text import counted
from stochi.study.events.plan import AttackPlan, EventStudyPlan
from stochi.study.victims import FLOAT, Victim

CLEAN, UNIVERSAL, PATCH, NOISE = "clean", "universal", "patch", "procedural-noise"
RANDOM = "random-"
"""Before the name of a pattern: as many events at random places of the same window."""
PATTERNS = (UNIVERSAL, PATCH, NOISE, RANDOM + UNIVERSAL, RANDOM + PATCH)


@dataclass(frozen=True)
class Shown:
    """What a victim is shown, as a value: attacked recordings, or recordings with a pattern.

    Attributes:
        attack: "clean", a name of ``stochi.attacks.make_event_attack``, or one of ``PATTERNS``.
        network: the network that the attacker asked, a key of ``NEURONS``; "" if the attack needs
            none.
        place: the place of the network's model that the attacker asked; "" likewise.
        changes: number of events of the budget or the pattern; 0 for no limit.
        delay: time steps by which events may move; 0 if they are inserted and deleted.
        side: side of a patch in pixels; 0 for what is not a patch.
        samples: number of recordings, from the front of the test part.
        iterations: of the attack; None for its own default.
        draws: EOT samples of the attack.
        surrogates: the surrogates that the attack is told to follow.
    """

    attack: str = CLEAN
    network: str = ""
    place: str = ""
    changes: int = 0
    delay: int = 0
    side: int = 0
    samples: int = 0
    iterations: int | None = None
    draws: int = 0
    surrogates: str = OWN

    @property
    def original(self) -> "Shown":
        """What has to be made for it: for random patterns, the pattern that they are like."""
        if not self.is_random_pattern:
            return self
        return replace(self, attack=self.attack.removeprefix(RANDOM))

    @property
    def is_random_pattern(self) -> bool:
        """Whether it is another pattern in each trial, at random places."""
        return self.attack in (RANDOM + UNIVERSAL, RANDOM + PATCH)

    @property
    def is_pattern(self) -> bool:
        """Whether it is one pattern for all recordings."""
        return self.attack in PATTERNS

    @property
    def by_gradients(self) -> bool:
        """Whether its maker followed the model's gradients."""
        return self.attack in (UNIVERSAL, PATCH) or (
            self.attack not in (CLEAN, *PATTERNS) and event_attack_class(self.attack).uses_gradients
        )

    @property
    def budget(self) -> EventBudget:
        """The budget of an attack that is not a pattern."""
        if self.delay:
            return EventBudget(kinds=(MOVE_TIME,), max_delay=self.delay)
        return EventBudget(self.changes)

    @property
    def title(self) -> str:
        """Name of the attack in tables."""
        return self.attack if self.surrogates == OWN else f"{self.attack} ({self.surrogates})"

    @property
    def column(self) -> str:
        """Name of the budget in tables."""
        if self.delay:
            return f"≤ {counted(self.delay, 'step')}"
        if self.side:
            return f"{self.side}×{self.side} pixels"
        return f"{self.changes} events" if self.changes else CLEAN

    @property
    def size(self) -> int:
        """What the budget allows: events, steps or pixels of a side."""
        return self.delay or self.side or self.changes


@dataclass(frozen=True)
class EventQuestion:
    """How often a victim is right about what it is shown in a place.

    Attributes:
        place: "float", or the stand-in on the chip.
        shown: what it is shown.
    """

    place: str
    shown: Shown


def places_of(victim: Victim) -> tuple[str, ...]:
    """Return the places where a victim is asked: in floats, and on the chip with each stand-in."""
    return (FLOAT, *victim.stand_ins)


def clean(plan: EventStudyPlan) -> Shown:
    """Return the recordings as they are."""
    return Shown(samples=plan.samples)


def makes_of(victim: Victim, plan: EventStudyPlan) -> list[Shown]:
    """Return all that is made on a victim's own models, attacks before patterns."""
    found = [
        shown
        for attack in plan.attacks
        if event_attack_class(attack.name).uses_model
        for place in (places_of(victim) if attack.everywhere else (FLOAT, victim.faithful))
        for shown in _at_each_budget(attack, plan, victim.neuron, place)
    ]
    for place in (FLOAT, victim.faithful):
        found += patterns_of(plan, victim.neuron, place)
    return found


def _at_each_budget(
    attack: AttackPlan, plan: EventStudyPlan, network: str = "", place: str = ""
) -> Iterator[Shown]:
    for budget in attack.budgets:
        yield Shown(
            attack.name,
            network,
            place,
            changes=budget.count or 0,
            delay=budget.max_delay,
            samples=min(attack.samples, plan.samples),
            iterations=attack.iterations,
            draws=attack.draws,
            surrogates=attack.surrogates,
        )


def patterns_of(plan: EventStudyPlan, network: str, place: str) -> list[Shown]:
    """Return the patterns that are made on a network in a place, with the random ones like them."""
    patterns = plan.patterns
    trained = Shown(
        UNIVERSAL,
        network,
        place,
        samples=plan.samples,
        iterations=patterns.iterations,
        draws=patterns.draws,
    )
    found = []
    for changes in sorted(patterns.changes):
        universal = replace(trained, changes=changes)
        noise = replace(universal, attack=NOISE, iterations=patterns.noises, draws=1)
        found += [universal, replace(universal, attack=RANDOM + UNIVERSAL), noise]
    for side in sorted(patterns.sides):
        patch = replace(trained, attack=PATCH, side=side)
        found += [patch, replace(patch, attack=RANDOM + PATCH)]
    return found


def without_model(plan: EventStudyPlan) -> list[Shown]:
    """Return what no model is needed for, beside the clean recordings."""
    return [
        shown
        for attack in plan.attacks
        if not event_attack_class(attack.name).uses_model
        for shown in _at_each_budget(attack, plan)
    ]


def questions_about(victim: Victim, plan: EventStudyPlan) -> list[EventQuestion]:
    """Return all questions of a plan about a victim, each once.

    In each place it is shown what was made there and what was made on its float model. What other
    networks' float models made is shown in floats and on the chip that draws as the network does.
    """
    everywhere = [clean(plan), *without_model(plan)]
    own, others = makes_of(victim, plan), crossing_to(victim, plan)
    found: dict[EventQuestion, None] = {}
    for place in places_of(victim):
        here = [shown for shown in own if shown.place in (place, FLOAT)]
        faithful = place in (FLOAT, victim.faithful)
        for shown in (*everywhere, *here, *(others if faithful else [])):
            if not (shown.is_random_pattern and shown.place != FLOAT):
                found[EventQuestion(place, shown)] = None
    return list(found)


def crossing_to(victim: Victim, plan: EventStudyPlan) -> list[Shown]:
    """Return what the float models of the other networks made and a victim is shown."""
    crossing = {(a.name, a.surrogates) for a in plan.attacks if a.crosses}
    others = (v for v in plan.victims() if v.seed == victim.seed and v.neuron != victim.neuron)
    return [
        shown
        for other in others
        for shown in makes_of(other, plan)
        if shown.place == FLOAT
        and (shown.attack in (UNIVERSAL, PATCH) or (shown.attack, shown.surrogates) in crossing)
    ]
