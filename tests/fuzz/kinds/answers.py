"""Kept answers, patterns, weights and recordings of studies: right, or found again."""

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch

from stochi.data.streams import Streams
from stochi.errors import InputError
from stochi.study.answers import Answers, Cosines
from stochi.study.events.answers import EventAnswers
from stochi.study.events.patterns import read_pattern
from stochi.study.events.questions import UNIVERSAL, EventQuestion
from stochi.study.events.recordings import keep_attacked, read_attacked
from stochi.study.events.same_recordings import check_recordings
from stochi.study.questions import Questions
from stochi.study.store import DamagedAnswer, Store
from stochi.study.variants import OWN
from stochi.study.victims import FLOAT, Victim
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage
from tests.study.events.tiny import TINY as EVENTS
from tests.study.test_study import TINY as IMAGES

_VICTIM = Victim()
_KEY = {"a": 1}
_ASKED = Questions(IMAGES, FLOAT).pgd


def _event_question(pattern: bool) -> EventQuestion:
    asked = EventAnswers(EVENTS, Store(".")).questions(_VICTIM)
    chosen = (q for q in asked if (q.shown.attack == UNIVERSAL) == pattern and q.shown.network)
    return next(q for q in chosen if pattern or not q.shown.is_pattern)


def _streams() -> Streams:
    return Streams(torch.zeros(2, 3, 2, 4, 4), torch.arange(3))


def _attacked() -> torch.Tensor:
    attacked = _streams().inputs.clone()
    attacked.view(-1)[::7] = 1
    return attacked


def _put_answer(store: Store) -> None:
    right = torch.arange(IMAGES.all_trials * _ASKED.images).view(-1, _ASKED.images) % 3 == 0
    Answers(IMAGES, store).keep(_VICTIM, _ASKED, right, ["pgd"] * _ASKED.images)


def _put_event_answer(store: Store) -> None:
    question = _event_question(False)
    samples = question.shown.samples
    answer: dict[str, Any] = {"right": ["01" * (samples // 2) + "0" * (samples % 2)]}
    answer["right"] *= EVENTS.all_trials
    answer |= {"events": list(range(samples)), "changes": [0.5] * samples}
    if question.shown.delay:
        answer["timing"] = [[1.0, 2.0, 3.0]] * samples
    store.put(EventAnswers(EVENTS, store).key(_VICTIM, question), answer)


def _pattern_key(store: Store) -> Any:
    return EventAnswers(EVENTS, store).made_key(_VICTIM, _event_question(True).shown)


Put, Get, Place = Callable[[Store], None], Callable[[Store], Any], Callable[[Store], Path]
_FORMS: dict[str, tuple[Put, Get, Place]] = {
    ".answer": (
        _put_answer,
        lambda store: Answers(IMAGES, store).find(_VICTIM, _ASKED),
        lambda store: store.path(Answers(IMAGES, store).key(_VICTIM, _ASKED), "json"),
    ),
    ".cosines": (
        lambda store: Answers(IMAGES, store).keep_cosines(
            _VICTIM, OWN, Cosines((0.5, -0.25, 1.0), (0.0, 0.125, 0.25))
        ),
        lambda store: (
            None
            if Answers(IMAGES, store).open_comparisons(_VICTIM)
            else Answers(IMAGES, store).cosines(_VICTIM, OWN)
        ),
        lambda store: _only(store, "json"),
    ),
    ".events": (
        _put_event_answer,
        lambda store: EventAnswers(EVENTS, store).find(_VICTIM, _event_question(False)),
        lambda store: store.path(
            EventAnswers(EVENTS, store).key(_VICTIM, _event_question(False)), "json"
        ),
    ),
    ".pattern": (
        lambda store: store.put(_pattern_key(store), {"events": [[0, 0, 0, 1], [1, 1, 2, 3]]}),
        lambda store: read_pattern(
            store, _pattern_key(store), _event_question(True).shown, EVENTS.data
        ),
        lambda store: store.path(_pattern_key(store), "json"),
    ),
    ".weights": (
        lambda store: store.put_tensors(_KEY, {"weight": torch.arange(12.0).view(3, 4)}),
        lambda store: _plain(store.get_tensors(_KEY)),
        lambda store: store.path(_KEY, "pt"),
    ),
    ".changed": (
        lambda store: keep_attacked(store, _KEY, _streams(), _attacked()),
        lambda store: _plain_streams(read_attacked(store, _KEY, _streams())),
        lambda store: store.path(_KEY, "pt"),
    ),
    ".note": (
        lambda store: check_recordings(store.folder, "toy", _streams(), _streams()),
        lambda store: check_recordings(store.folder, "toy", _streams(), _streams()) or "same",
        lambda store: store.folder / "recordings-toy.json",
    ),
}
"""Ending of a file → how it is kept, how it is read, and where it lies."""

_LOOSE = "without checksum"
"""Name of an altered file as earlier versions wrote it, whose damage cannot show."""


def originals(folder: Path) -> list[Path]:
    """Write an answer of each form."""
    paths = []
    for ending, (put, _, place) in _FORMS.items():
        store = Store(folder / f"store{ending}")
        put(store)
        paths.append(Path(shutil.copy(place(store), folder / f"kept{ending}")))
    return paths


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes, or a value of JSON whose checksum stays."""
    data = original.read_bytes()
    if random.random() < 0.7 or original.suffix in (".weights", ".changed"):
        path.write_bytes(damage(random, data))
        return
    content = json.loads(data)
    _alter(random, content)
    path.write_text(json.dumps(content))


def crafted(folder: Path) -> dict[str, Path]:
    """Write every part with every hostile value, under a checksum or without one."""
    paths = {}
    for original in originals(folder):
        ending = original.suffix
        contents: dict[str, bytes] = {
            "empty": b"",
            "null": b"null",
            "deep": b"[" * 200_000,
            "digits": b"9" * 100_000,
            "not text": b"\xff\xfe\xfa",
            "zip bomb": hostile.zip_of_zeros(("a/data.pkl",)),
        }
        if ending not in (".weights", ".changed"):
            whole = json.loads(original.read_bytes())
            part = whole.get("answer", whole)
            for number, other in enumerate(hostile.replaced(part, hostile.VALUES[::5])):
                changed = {**whole, "answer": other} if "answer" in whole else other
                contents[f"value {number}"] = json.dumps(changed).encode()
                changed.pop("sha256", None)
                contents[f"{_LOOSE} {number}"] = json.dumps(changed).encode()
        for name, data in contents.items():
            paths[f"{ending} {name}"] = folder / f"{name}{ending}"
            paths[f"{ending} {name}"].write_bytes(data)
    return paths


def use(path: Path) -> None:
    """Read a kept file in its place; it is what was kept, or is found again."""
    put, get, place = _FORMS[path.suffix]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        store = Store(folder)
        put(store)
        kept = get(store)
        shutil.copy(path, place(store))
        found = get(store)
    if found is None:
        assert [warning.category for warning in caught] == [DamagedAnswer]
        raise InputError(f"{caught[0].message}")
    assert found == kept or _LOOSE in path.name
    if path.suffix == ".answer":
        assert {len(row) for row in found["right"]} == {_ASKED.images}


def _alter(random: Random, content: Any) -> None:
    """Put a hostile value somewhere into nested dictionaries and lists."""
    while True:
        name = random.choice(list(content) if isinstance(content, dict) else range(len(content)))
        inner = content[name]
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.3:
            content[name] = random.choice(hostile.VALUES)
            return
        content = inner


def _only(store: Store, ending: str) -> Path:
    return next(path for path in store.folder.iterdir() if path.suffix == f".{ending}")


def _plain(tensors: dict[str, torch.Tensor] | None) -> Any:
    return tensors and {name: (str(t.dtype), t.tolist()) for name, t in tensors.items()}


def _plain_streams(streams: Streams | None) -> Any:
    return None if streams is None else streams.inputs.tolist()


KIND = Kind("answers of studies", originals, mutate, crafted, use)
