"""The attacks on images, by name."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from stochi.arguments import check_arguments
from stochi.attacks.apgd import APGD
from stochi.attacks.auto_attack import AutoAttack
from stochi.attacks.base import ImageAttack
from stochi.attacks.fab import FAB
from stochi.attacks.fgsm import FGSM
from stochi.attacks.hop_skip_jump import HopSkipJump
from stochi.attacks.mi_fgsm import MIFGSM
from stochi.attacks.pgd import PGD
from stochi.attacks.sa_pgd import SAPGD
from stochi.attacks.square import Square
from stochi.attacks.surrogates.choice import SurrogateChoice
from stochi.attacks.uniform_noise import UniformNoise
from stochi.errors import InputError

_KINDS: dict[str, tuple[type[ImageAttack], dict[str, Any]]] = {
    "noise": (UniformNoise, {}),
    "fgsm": (FGSM, {}),
    "mi-fgsm": (MIFGSM, {}),
    "pgd": (PGD, {}),
    "pgd-cosine": (PGD, {"schedule": "cosine", "iterations": 100}),
    "sa-pgd": (SAPGD, {}),
    "apgd": (APGD, {}),
    "apgd-dlr": (APGD, {"loss": "dlr"}),
    "apgd-t": (APGD, {"loss": "targeted-dlr"}),
    "fab": (FAB, {}),
    "auto-snn": (AutoAttack, {"version": "snn"}),
    "auto-rand": (AutoAttack, {"version": "rand"}),
    "auto-standard": (AutoAttack, {"version": "standard"}),
    "square": (Square, {}),
    "hop-skip-jump": (HopSkipJump, {}),
}
ATTACK_NAMES = tuple(_KINDS)


def make_attack(
    name: str,
    epsilon: float,
    *,
    iterations: int | None = None,
    draws: int | None = None,
    restarts: int | None = None,
    surrogates: SurrogateChoice | Sequence[SurrogateChoice] | None = None,
    seed: int = 0,
    grid: int | None = None,
) -> ImageAttack:
    """Make an attack on images by its name.

    Args:
        name: one of :data:`ATTACK_NAMES`; ``"pgd-cosine"`` is PGD-100 with cosine-decayed steps,
            ``"apgd-t"`` is APGD with targeted DLR, ``"fab"`` is FAB-T, and ``"auto-snn"``,
            ``"auto-rand"`` and ``"auto-standard"`` are AutoAttack's versions.
        epsilon, seed, grid: as for :class:`stochi.attacks.ImageAttack`.
        iterations, draws, restarts, surrogates: the attack's own defaults if None. An attack
            ignores those that it does not have (FGSM has no iterations, noise has no draws).
            AutoAttack's iterations are those of each part, but the Square in "auto-standard" keeps
            its 2500, unless you make ``AutoAttack(version="standard", squares=...)`` yourself.

    Raises:
        InputError: there is no attack of that name, or a number is out of range.
    """
    check_arguments(make_attack, locals())
    if name not in _KINDS:
        raise InputError(f"attack is {name!r}; choose from {', '.join(ATTACK_NAMES)}")
    kind, options = _KINDS[name]
    given = {
        "iterations": iterations,
        "draws": draws,
        "restarts": restarts,
        "surrogates": surrogates,
    }
    known = options_of(name)
    options = options | {k: v for k, v in given.items() if k in known and v is not None}
    return kind(epsilon, seed, grid=grid, **options)


def options_of(name: str) -> set[str]:
    """Return which of ``iterations``, ``draws``, ``restarts`` and ``surrogates`` an attack has.

    Args:
        name: one of :data:`ATTACK_NAMES`.
    """
    kind, fixed = _KINDS[name]
    known = {field.name for field in fields(kind)} & {
        *("iterations", "draws", "restarts", "surrogates")
    }
    return known - {"surrogates"} if fixed.get("version") == "snn" else known
