import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from stochi.errors import first_line
from stochi.study.keeping import load_or_fit
from stochi.study.store import DamagedAnswer, Store
from stochi.study.work.workers import in_processes


def test_answers_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "new")
    key = {"epsilon": 0.1, "steps": (1, 2)}
    assert store.get(key) is None
    store.put(key, {"right": [1, 2]})
    assert store.get(key) == {"right": [1, 2]}
    assert Store(tmp_path / "new").get(key) == {"right": [1, 2]}
    assert store.get({**key, "epsilon": 0.2}) is None


def test_weights_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get_tensors({"seed": 1}) is None
    store.put_tensors({"seed": 1}, {"weight": torch.arange(3)})
    found = store.get_tensors({"seed": 1})
    assert found is not None and torch.equal(found["weight"], torch.arange(3))


def altered(path: Path) -> None:
    """Change an answer and leave its checksum."""
    path.write_text(path.read_text().replace("0101", "0111"))


def renamed_checksum(path: Path) -> None:
    path.write_text(path.read_text().replace("sha256", "sha257"))


def deep(path: Path) -> None:
    path.write_text("[" * 100_000)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def text(content: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(content)

    return write


DAMAGES = [altered, renamed_checksum, deep, folder, pipe]
DAMAGES += [
    text(content)
    for content in ("", "{", "[]", "null", '{"about": {}}', '{"about": {}, "answer": {}}')
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_answer_is_moved_aside_with_a_word(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    store, key = Store(tmp_path), {"a": 1}
    store.put(key, {"right": ["0101"]})
    path = store.path(key, "json")
    damage(path)
    with pytest.warns(DamagedAnswer, match=path.name) as caught:
        assert store.get(key) is None
    assert len(caught) == 1 and first_line(caught[0].message) == str(caught[0].message)  # type: ignore[arg-type]
    assert [other.name for other in tmp_path.iterdir()] == [f"{path.name}.damaged"]
    assert store.get(key) is None
    store.put(key, {"right": ["0101"]})
    assert store.get(key) == {"right": ["0101"]}


def test_an_answer_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    store, key = Store(tmp_path), {"a": 1}
    tmp_path.mkdir(exist_ok=True)
    store.path(key, "json").write_text(json.dumps({"about": key, "answer": {"b": 2}}))
    torch.save({"weight": torch.ones(3)}, store.path(key, "pt"))
    assert store.get(key) == {"b": 2}
    kept = store.get_tensors(key)
    assert kept is not None and torch.equal(kept["weight"], torch.ones(3))


def test_an_answer_under_the_name_of_another_is_not_believed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put({"a": 1}, {"b": 2})
    store.put_tensors({"a": 1}, {"weight": torch.ones(3)})
    for ending in ("json", "pt"):
        store.path({"a": 1}, ending).rename(store.path({"a": 2}, ending))
    with pytest.warns(DamagedAnswer, match="another question"):
        assert store.get({"a": 2}) is None
    with pytest.warns(DamagedAnswer, match="another question"):
        assert store.get_tensors({"a": 2}) is None


def test_damaged_weights_are_moved_aside_with_a_word(tmp_path: Path) -> None:
    store, key = Store(tmp_path), {"a": 1}
    for damage in (lambda data: data[:500], lambda data: data[:900] + b"\1" + data[901:]):
        store.put_tensors(key, {"weight": torch.zeros(1000)})
        path = store.path(key, "pt")
        path.write_bytes(damage(path.read_bytes()))
        with pytest.warns(DamagedAnswer, match=path.name):
            assert store.get_tensors(key) is None


def test_weights_that_do_not_fit_are_fitted_again(tmp_path: Path) -> None:
    store, key = Store(tmp_path), {"a": 1}
    store.put_tensors(key, {"weight": torch.zeros(1000)})
    fitted = nn.Linear(2, 3)
    with pytest.warns(DamagedAnswer, match=r"pt: damaged \(RuntimeError"):
        assert load_or_fit(store, key, lambda: nn.Linear(2, 3), lambda _: fitted) is fitted
    kept = load_or_fit(store, key, lambda: nn.Linear(2, 3), lambda: nn.Linear(2, 3))
    assert all(map(torch.equal, kept.parameters(), fitted.parameters()))


def put_often(folder: Path) -> int:
    """Put and read the same answers again and again, as other processes do; return the misses."""
    store, weights = Store(folder), torch.arange(2000.0)
    misses = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(60):
            key = {"number": number % 3}
            store.put(key, {"right": ["01" * 500] * 20})
            store.put_tensors(key, {"weight": weights})
            kept = store.get_tensors(key)
            misses += store.get(key) is None or kept is None or len(kept["weight"]) != 2000
    return misses


@pytest.mark.slow
def test_several_processes_write_the_same_answers_and_damage_none(tmp_path: Path) -> None:
    assert list(in_processes(put_often, [tmp_path / "many"] * 3, 3)) == [0, 0, 0]
    put_often(tmp_path / "one")
    many, one = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("many", "one")
    )
    assert many == one and len(one) == 6
