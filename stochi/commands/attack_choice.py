"""Attacks and budgets from the words of a command."""

from typing import TYPE_CHECKING

import typer

from stochi.commands.options import was_given
from stochi.errors import InputError

if TYPE_CHECKING:
    from stochi.attacks import ImageAttack


def read_attacks(
    names: str,
    epsilon: float,
    iterations: int | None = None,
    draws: int | None = None,
    restarts: int | None = None,
    surrogates: str | None = None,
) -> "list[ImageAttack]":
    """Make uniform noise and the attacks with these names, on the chip's 8-bit input grid.

    Args:
        names: as the option has them, separated by commas.
        epsilon, iterations, draws, restarts: as for ``stochi.attacks.make_attack``.
        surrogates: names separated by commas; attacks that follow gradients run with each.

    Raises:
        InputError: a name is unknown, a number is out of range, or an option was given and none of
            the attacks has it.
    """
    from stochi.attacks import make_attack
    from stochi.attacks.catalogue import ATTACK_NAMES, options_of
    from stochi.attacks.surrogates.choice import make_surrogates
    from stochi.hardware.fixed_point import GRADED_INPUT_MAX

    followed = None if surrogates is None else make_surrogates(surrogates)
    # Each attack once, in the order given, after the noise that all of them must beat.
    wanted = dict.fromkeys(["noise", *(name.strip() for name in names.split(","))])
    attacks = [
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
        for one in followed or (None,)
    ]
    given = {
        "iterations": iterations,
        "draws": draws,
        "restarts": restarts,
        "surrogates": surrogates,
    }
    for option, value in given.items():
        if value is not None and not any(option in options_of(name) for name in wanted):
            having = [name for name in ATTACK_NAMES if option in options_of(name)]
            raise InputError(
                f"--attack {names} has no {option}; leave --{option} out, or choose from"
                f" {', '.join(having)}"
            )
    return list(dict.fromkeys(attacks))


def read_epsilons(context: typer.Context, text: str | None, epsilon: float) -> list[float]:
    """Return the ε of --epsilons, or else the one of --epsilon, each once and in [0, 1].

    Raises:
        InputError: both options were given, or a value is not a number in [0, 1].
    """
    from stochi.attacks.base import check_epsilon

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
