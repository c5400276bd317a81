"""The options that name attacks and their budgets."""

from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import was_given
from stochi.errors import InputError

if TYPE_CHECKING:
    from stochi.attacks.base import ImageAttack

AttackOption = Annotated[
    str,
    typer.Option(
        "--attack",
        help="Names with commas between: fgsm, mi-fgsm, pgd, apgd, apgd-dlr, apgd-t, fab,"
        " auto-rand, auto-standard, square, hop-skip-jump. Uniform noise is always added.",
    ),
]
EpsilonsOption = Annotated[
    str | None,
    typer.Option(help="Several ε with commas between, in place of --epsilon."),
]


def read_attacks(
    names: str,
    epsilon: float,
    steps: int | None = None,
    draws: int | None = None,
    restarts: int | None = None,
) -> "list[ImageAttack]":
    """Uniform noise, and the attacks of those names, on the chip's 8-bit input grid.

    Args:
        names: as the option has them; the rest as for ``stochi.attacks.make_attack``.

    Raises:
        InputError: a name is unknown, a number is out of range, or none of the attacks has steps,
            draws or restarts, which were given.
    """
    from stochi.attacks import ATTACK_NAMES, make_attack
    from stochi.hardware.fixed_point import GRADED_INPUT_MAX

    # Each once, in the order given, after the floor that all must beat.
    wanted = dict.fromkeys(["noise", *(name.strip() for name in names.split(","))])
    attacks = [
        make_attack(
            name, epsilon, steps=steps, draws=draws, restarts=restarts, grid=GRADED_INPUT_MAX
        )
        for name in wanted
    ]
    for option, value in (("steps", steps), ("draws", draws), ("restarts", restarts)):
        if value is not None and not any(hasattr(attack, option) for attack in attacks):
            having = [n for n in ATTACK_NAMES if hasattr(make_attack(n, epsilon), option)]
            raise InputError(
                f"--attack {names} has no {option}; leave --{option} out, or choose from"
                f" {', '.join(having)}"
            )
    return attacks


def read_epsilons(context: typer.Context, text: str | None, epsilon: float) -> list[float]:
    """The ε of --epsilons, or else that of --epsilon, each in [0, 1].

    Raises:
        InputError: both options were given, they are no numbers, or out of range.
    """
    from stochi.attacks.base import check_epsilon

    if text is not None and was_given(context, "epsilon"):
        raise InputError("--epsilon and --epsilons were both given; give one of them")
    try:
        epsilons = [epsilon] if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"--epsilons is {text!r}; give numbers in [0, 1] with commas between, like 0.02,0.1"
        ) from None
    for value in epsilons:
        check_epsilon(value)
    return list(dict.fromkeys(epsilons))
