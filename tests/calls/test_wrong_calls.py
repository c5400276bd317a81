"""Wrong calls: every public function, every parameter, values of all kinds.

A call gives a right answer, or raises an error of one line that names the argument.
"""

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stochi import study
from stochi.arguments import check_argument, shown
from stochi.errors import ExportError, InputError, StochiError
from stochi.plain_text import escape_message
from tests.calls.base_cases import CALLS, METHODS, NOT_CALLED, OF_THE_PROGRAM, World, public


class Speechless:
    """An object that has no text."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


class SpeechlessText(str):
    """A string that has no text in errors."""

    __slots__ = ()

    def __repr__(self) -> str:
        raise RuntimeError("no text")


VALUES: dict[str, Any] = {
    "None": None,
    "path": Path("some/path"),
    "str": "a\nstr",
    "empty str": "",
    "NaN": float("nan"),
    "inf": float("inf"),
    "array": np.arange(3.0),
    "list": [1, 2],
    "dict": {"a": 1},
    "float": 2.5,
    "bool": True,
    "negative": -1,
    "huge": 10**30,
    "empty": torch.zeros(0),
    "ints": torch.arange(3),
    "complex": 1j,
    "object": object(),
    "speechless": Speechless(),
    "speechless text": SpeechlessText("text"),
}
SYNONYMS = {
    "name": ("attack is", "code", "data set", "defence"),
    "kind": ("randomization",),
    "surrogates": ("surrogate",),
    "budget": ("count is", "epsilon is"),
    "epsilons": ("epsilon is",),
    "program": ("a Program are needed",),
    "data": ("inputs ", "labels "),
    "batches": ("the data hold no sample",),
    "samples": ("inputs ", "data ", "encodes stochi.data"),
    "by": ("binning",),
    "folder": ("no such class",),
    "calibration": ("inputs ",),
    "frames": ("inputs ",),
    "dataset": ("a data set of tonic",),
    "mean_tau": ("τ with mean",),
    "low": ("λ from",),
    "high": ("λ from",),
    "rows": ("by their numbers",),
    "classes": ("it must be from 0 to",),
}
"""What messages call an argument, where they do not use its name."""
A_LATER_CHECK = {"deploy.read_net": {"time_steps"}}
"""Arguments whose range counts only once another one is right."""
SLOW = {"study.conduct", "study.conduct_events"}
"""Functions that take minutes if their arguments are right."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def outcome(call: Callable[[], Any]) -> str | None:
    """Return the message of a call's error, None for a right answer."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = call()
            if hasattr(found, "__next__"):
                next(found, None)
    except StochiError as error:
        return str(error)
    return None


def names(message: str, name: str, value: Any) -> bool:
    """Return whether a message of one line names the argument, or a path that it is."""
    words = (name, name.replace("_", " "), *SYNONYMS.get(name, ()))
    is_path = isinstance(value, str | Path) and (name in ("path", "folder") or name == "cache")
    start = str(Path(value)) if is_path else "\0"
    return "\n" not in message and (
        any(word in message for word in words)
        or message.startswith((escape_message(start), start or ".", ":", "benchmarks"))
    )


def test_every_public_name_has_a_case() -> None:
    missing = {
        name
        for name, what in public()
        if name not in CALLS
        and name not in NOT_CALLED
        and not name.startswith(OF_THE_PROGRAM)
        and not (isinstance(what, type) and issubclass(what, Warning))
    }
    assert missing == set()
    assert set(CALLS) <= {name for name, _ in public()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted({**CALLS, **METHODS}.keys() - SLOW))
def test_a_wrong_argument_is_named_in_a_line(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if name.endswith("onnx"):
        pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)  # where names without a folder are written
    call = {**CALLS, **METHODS}[name](world)
    wrong = {}
    for argument in call.arguments.keys() - {"*"} - A_LATER_CHECK.get(name, set()):
        for kind, value in VALUES.items():
            message = outcome(call._replace(arguments={**call.arguments, argument: value}))
            if message is not None and not names(message, argument, value):
                wrong[argument, kind] = message
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(SLOW))
@pytest.mark.parametrize("kind", ["object", "NaN", "dict", "array", "complex"])
def test_a_wrong_argument_of_a_study_is_named_in_a_line(name: str, kind: str, world: World) -> None:
    call = CALLS[name](world)
    plan = study.plan_for("digits", True)
    if name == "study.conduct_events":
        plan = study.event_plan_for("saccades", True)  # type: ignore[assignment]
    for argument in call.arguments:
        given = {**call.arguments, "plan": plan, argument: VALUES[kind]}
        message = outcome(call._replace(arguments=given))
        assert message is not None
        assert message.startswith(f"{argument} is ")
        assert "\n" not in message


@pytest.mark.parametrize(
    ("value", "hint", "fits"),
    [
        (3, int, True),
        (np.int64(3), int, True),
        (3.0, int, False),
        (True, int, False),
        (np.True_, bool, True),
        (1, bool, False),
        (1, float, True),
        (np.float32(1), float, True),
        (float("inf"), float, False),
        (2**64, int, False),
        (None, int | None, True),
        ([1, 2], tuple[int, int], True),
        ([1, 2, 3], tuple[int, int], False),
        ((1, 2.5), tuple[int, ...], False),
        ("ab", tuple[str, ...], False),
        ({"a": 1}, dict[str, int], True),
        ({1: 1}, dict[str, int], False),
        (print, Callable[[str], None], True),
        ("print", Callable[[str], None], False),
        ("x", str | Path, True),
        (b"x", str | Path, False),
        (object(), Any, True),
    ],
)
def test_annotations_say_what_is_right(value: object, hint: Any, fits: bool) -> None:
    if fits:
        check_argument("it", value, hint)
        return
    with pytest.raises(InputError, match=rf"^it is {re.escape(shown(value))}; it must be .+$"):
        check_argument("it", value, hint)


def test_an_error_shows_what_a_name_would_do_to_a_screen() -> None:
    error = InputError("file a\nb\x1b[31m\u202etxt.exe: no such file")
    assert str(error) == r"file a b\x1b[31m\u202etxt.exe: no such file"
    listed = "the model has 2 problems:\n- one\n- two"
    assert str(ExportError(listed)) == listed


@pytest.mark.parametrize(
    "value", [10**5000, (-(10**5000),), {"a": 10**5000}], ids=["number", "tuple", "dict"]
)
def test_a_number_that_python_does_not_print_is_shown(value: object) -> None:
    with pytest.raises(InputError, match=r"^it is (a number of \d+ bits|of type \w+); it must be "):
        check_argument("it", value, float if isinstance(value, int) else int)


def test_a_long_value_is_cut_short() -> None:
    with pytest.raises(InputError) as error:
        check_argument("it", list(range(10**4)), int)
    assert len(str(error.value)) < 150
