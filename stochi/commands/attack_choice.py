"""Attacks and budgets from the words of a command."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.event_budget import FLIPS, read_event_budget
from stochi.commands.options import refuse, was_given
from stochi.errors import InputError

if TYPE_CHECKING:
    from stochi.attacks import Attack, EventBudget

OF_ATTACKS = ("iterations", "draws", "restarts", "surrogates")
"""Options that say how attacks run."""
ON_EVENTS = "random-events,sparse-gradient"
"""Attacks that a network of events meets unless told otherwise: the baseline, and a strong one."""
IterationsOption = Annotated[
    int | None,
    typer.Option(
        help="Iterations of attacks that have them; by default their own, 100 for AutoAttack's"
        " parts and 20 for PGD. The Square in auto-standard keeps its 2500."
    ),
]
DrawsOption = Annotated[
    int | None,
    typer.Option(
        help="EOT draws per gradient or answer; by default the attack's own, 10 for most and 20"
        " for auto-rand and auto-standard."
    ),
]
RestartsOption = Annotated[
    int | None, typer.Option(help="Restarts of PGD, SA-PGD, APGD, FAB and Square; 1 by default.")
]


def read_attacks(
    names: str,
    epsilon: float,
    iterations: int | None = None,
    draws: int | None = None,
    restarts: int | None = None,
    surrogates: str | None = None,
    budget: "EventBudget | int" = FLIPS,
) -> "list[Attack]":
    """Make the attacks with these names; those on images on the chip's grid, after uniform noise.

    Attacks on events come last.

    Args:
        names: as the option has them, separated by commas.
        epsilon, iterations, draws, restarts: as for ``stochi.attacks.make_attack``.
        surrogates: names separated by commas, with each of which attacks by gradient run.
        budget: what attacks on events may change.

    Raises:
        InputError: a name is unknown, a number is out of range, or an option was given and none of
            the attacks has it.
    """
    from stochi.attacks import EVENT_ATTACK_NAMES, make_attack, make_event_attack
    from stochi.attacks.catalogue import options_of
    from stochi.attacks.events.catalogue import event_options_of
    from stochi.attacks.surrogates.choice import make_surrogates
    from stochi.hardware.fixed_point import GRADED_INPUT_MAX

    _check_names(names)
    followed = (None,) if surrogates is None else make_surrogates(surrogates)
    # Each attack once, in the order given, after the noise that all of them must beat.
    named = list(dict.fromkeys(name.strip() for name in names.split(",")))
    on_events = [name for name in named if name in EVENT_ATTACK_NAMES]
    on_images = [name for name in named if name not in on_events]
    wanted = dict.fromkeys(["noise", *on_images] if on_images else [])
    attacks: list[Attack] = [
        make_attack(
            name,
            epsilon,
            iterations=iterations,
            draws=draws,
            restarts=restarts,
            surrogates=one,
            grid=GRADED_INPUT_MAX,
        )
        for name in wanted
        for one in followed
    ]
    attacks += [
        make_event_attack(name, budget, iterations=iterations, draws=draws, surrogates=one)
        for name in on_events
        for one in followed
    ]
    options = [options_of(name) for name in wanted] + list(map(event_options_of, on_events))
    given = dict(iterations=iterations, draws=draws, restarts=restarts, surrogates=surrogates)
    _check_options(names, {o for o, value in given.items() if value is not None}, options)
    return list(dict.fromkeys(attacks))


def _check_names(names: str) -> None:
    """Raise InputError if there is no attack of one of these names, on images or on events."""
    from stochi.attacks.catalogue import ATTACK_NAMES
    from stochi.attacks.events.catalogue import EVENT_ATTACK_NAMES

    for name in (name.strip() for name in names.split(",")):
        if name not in (*ATTACK_NAMES, *EVENT_ATTACK_NAMES):
            raise InputError(
                f"attack is {name!r}; choose from {', '.join(ATTACK_NAMES)}, or on events"
                f" {', '.join(EVENT_ATTACK_NAMES)}"
            )


def read_strength(context: typer.Context) -> dict[str, Any]:
    """Return how attacks run and what those on events may change, for :func:`read_attacks`.

    Raises:
        InputError: the options describe no budget of events.
    """
    given = context.params
    budget = ("flips", "share", "kinds", "max_delay", "refractory")
    changes = read_event_budget(*(given[option] for option in budget))
    return {option: given[option] for option in OF_ATTACKS} | {"budget": changes}


def check_form(names: str, events: bool) -> None:
    """Raise InputError if one of these attacks changes images, and the Program takes events."""
    from stochi.attacks.events.catalogue import EVENT_ATTACK_NAMES

    wrong = [name.strip() for name in names.split(",") if name.strip() not in EVENT_ATTACK_NAMES]
    if events and wrong:
        raise InputError(
            f"--attack {', '.join(wrong)} moves the pixels of images, and the Program takes events,"
            f" exactly 0 or 1; choose from {', '.join(EVENT_ATTACK_NAMES)}"
        )


def refuse_other_budgets(context: typer.Context, attacks: "list[Attack]") -> None:
    """Raise InputError if an option says what none of the attacks may change."""
    if not any(attack.batch_dim == 0 for attack in attacks):
        refuse(context, ("epsilon", "epsilons"), "attacks on events have --flips and --share")
    if not any(attack.batch_dim == 1 for attack in attacks):
        others = ("flips", "share", "kinds", "max_delay", "refractory")
        refuse(context, others, "attacks on images have --epsilon")


def _check_options(names: str, given: set[str], known: "list[set[str]]") -> None:
    """Raise InputError if an option was given that none of the attacks has.

    Args:
        names: the attacks' names.
        given: the options.
        known: the options of each attack.
    """
    from stochi.attacks.catalogue import ATTACK_NAMES, options_of
    from stochi.attacks.events.catalogue import EVENT_ATTACK_NAMES, event_options_of

    for option in sorted(given.difference(*known)):
        having = [name for name in ATTACK_NAMES if option in options_of(name)]
        having += [name for name in EVENT_ATTACK_NAMES if option in event_options_of(name)]
        raise InputError(
            f"--attack {names} has no {option}; leave --{option} out, or choose from"
            f" {', '.join(having)}"
        )


def read_epsilons(context: typer.Context) -> list[float]:
    """Return the ε of --epsilons, or else the one of --epsilon, each once and in [0, 1].

    Raises:
        InputError: both options were given, or a value is not a number in [0, 1].
    """
    from stochi.attacks.base import check_epsilon

    text, epsilon = context.params["epsilons"], context.params["epsilon"]
    if text is not None and was_given(context, "epsilon"):
        raise InputError("--epsilon and --epsilons were both given; give one of them")
    try:
        epsilons = [epsilon] if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"--epsilons is {text!r}; give numbers in [0, 1] separated by commas, like 0.02,0.1"
        ) from None
    for value in epsilons:
        check_epsilon(value)
    return list(dict.fromkeys(epsilons))
