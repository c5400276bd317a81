"""Random changes of a Program's header and arrays, most of which leave it readable."""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from tests.fuzz.programs.parts import Parts

NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 63, 64, 255, 256, 4096, 2**16, 10**6, 10**9, 10**18),
    *(2**24, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**30, -2, -8, -(2**31), -(2**63)),
)
REALS: tuple[Any, ...] = (0.5, 2.5, -0.0, 1e-320, 1e300, -3.0, float("nan"), float("inf"))
OTHERS: tuple[Any, ...] = (
    *(True, False, None, "", "x", "input", "constant", "a", "b", "zero", "subtract", "none"),
    *("membrane", "spikes", "current", "mean", "last", "loihi1", "philox", "lfsr", "\u202e\n\x1b"),
    *([], {}, [1], [1, 1], [2, 2, 2], [[1]], {"array": "header"}, {"array": "x"}, {"array": 3}),
)
CHOICES: dict[str, tuple[str, ...]] = {
    "reset": ("zero", "subtract", "none"),
    "readout": ("spikes", "membrane", "input"),
    "over_time": ("mean", "last"),
    "random_source": ("philox", "lfsr"),
    "noise": ("decay", "membrane", "current", "none"),
    "chip": ("loihi1", "loihi2"),
    "source": ("input", "constant", "a", "b", "c"),
    "output": ("a", "b", "c"),
    "target": ("membrane", "current"),
}
"""Field → the words that it knows, and names of layers in the examples."""
DTYPES = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.float32, np.bool_, ">i4")


def alter(random: Random, parts: Parts) -> None:
    """Change a file's header or arrays, one to three times."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if parts.places() and parts.arrays:
            random.choice(_ALTERATIONS)(random, parts)


def _nudge(random: Random, parts: Parts) -> None:
    """Put a small whole number in place of another, which often gives a valid Program."""
    places = [place for place in parts.places() if type(parts.get(place)) is int]
    if places:
        place = random.choice(places)
        parts.set(place, random.choice((parts.get(place) + random.choice((-1, 1, 2)), *range(9))))


def _exchange(random: Random, parts: Parts) -> None:
    """Put a value of the same type from elsewhere in place of another."""
    places = parts.places()
    place = random.choice(places)
    kind = type(parts.get(place))
    others = [other for other in places if type(parts.get(other)) is kind]
    parts.set(place, copy.deepcopy(parts.get(random.choice(others))))


def _choose(random: Random, parts: Parts) -> None:
    """Put another of a few known words, or the other flag, in place of one."""
    places = [place for place in parts.places() if place[-1] in CHOICES]
    flags = [place for place in parts.places() if type(parts.get(place)) is bool]
    place = random.choice(places + flags)
    flag = place in flags
    parts.set(place, not parts.get(place) if flag else random.choice(CHOICES[str(place[-1])]))


def _mix(random: Random, parts: Parts) -> None:
    """Put values of an array in other places of it, which keeps most ranges."""
    name = random.choice(list(parts.arrays))
    flat = np.array(parts.arrays[name]).reshape(-1)
    chosen = [random.randrange(flat.size) for _ in range(flat.size)]
    parts.arrays[name] = flat[chosen].reshape(parts.arrays[name].shape)


def _set(random: Random, parts: Parts) -> None:
    values = random.choice((NUMBERS, NUMBERS, REALS, OTHERS))
    parts.set(random.choice(parts.places()), copy.deepcopy(random.choice(values)))


def _remove(random: Random, parts: Parts) -> None:
    parts.remove(random.choice(parts.places()))


def _rename(random: Random, parts: Parts) -> None:
    places = [place for place in parts.places() if isinstance(place[-1], str)]
    place = random.choice(places)
    value = parts.get(place)
    parts.remove(place)
    parts.set((*place[:-1], random.choice(("x", "subtract", "kind", place[-1] + "_"))), value)


def _duplicate(random: Random, parts: Parts) -> None:
    """Repeat an item of a list, or a key of an object in the text."""
    place = random.choice(parts.places())
    value = parts.get(place)
    if isinstance(place[-1], int):
        parts.get(place[:-1]).append(copy.deepcopy(value))
    elif len(place) == 1:
        whole = json.dumps(parts.header)
        parts.text = whole[:-1] + f", {json.dumps({place[0]: 1})[1:]}"


def _invent(random: Random, parts: Parts) -> None:
    parts.header["invented"] = random.choice(OTHERS)
    parts.arrays["invented"] = np.zeros(3, np.int16)


def _values(random: Random, parts: Parts) -> None:
    """Change some of an array's values."""
    name = random.choice(list(parts.arrays))
    array = np.array(parts.arrays[name])
    if array.size and array.dtype.kind in "iu":
        for _ in range(random.choice((1, 3, array.size))):
            value = random.choice((*NUMBERS, *range(-20, 20)))
            limits = np.iinfo(array.dtype)
            place = random.randrange(array.size)
            array.reshape(-1)[place] = min(max(value, int(limits.min)), int(limits.max))
    parts.arrays[name] = array


def _type(random: Random, parts: Parts) -> None:
    name = random.choice(list(parts.arrays))
    parts.arrays[name] = parts.arrays[name].astype(random.choice(DTYPES))


def _shape(random: Random, parts: Parts) -> None:
    name = random.choice(list(parts.arrays))
    array = parts.arrays[name]
    changes: tuple[Callable[[], np.ndarray], ...] = (
        lambda: array.reshape(-1),
        lambda: array.reshape(1, *array.shape),
        lambda: array[..., None],
        lambda: array.T,
        lambda: np.asfortranarray(array),
        lambda: np.repeat(np.atleast_1d(array), 2, axis=0),
        lambda: np.atleast_1d(array)[:-1],
        lambda: np.atleast_1d(array).swapaxes(0, -1),
        lambda: np.atleast_1d(array)[:0],
        lambda: np.asarray(array.reshape(-1)[:1].sum(), array.dtype),
    )
    parts.arrays[name] = random.choice(changes)()


def _swap_arrays(random: Random, parts: Parts) -> None:
    one, other = random.choice(list(parts.arrays)), random.choice(list(parts.arrays))
    parts.arrays[one], parts.arrays[other] = parts.arrays[other], parts.arrays[one]


def _remove_array(random: Random, parts: Parts) -> None:
    del parts.arrays[random.choice(list(parts.arrays))]


_ALTERATIONS = (
    *(
        _nudge,
        _nudge,
        _nudge,
        _choose,
        _choose,
        _choose,
        _mix,
        _mix,
        _mix,
        _exchange,
        _exchange,
        _set,
        _set,
        _values,
        _values,
    ),
    *(_remove, _rename, _duplicate, _invent, _type, _shape, _swap_arrays, _remove_array),
)
