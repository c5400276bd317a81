from pathlib import Path

import pytest
import torch

from stochi.errors import InputError
from stochi.study.store import Store


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


@pytest.mark.parametrize("text", ["", "{", "[]", '{"about": {}}', '{"about": {}, "answer": {}}'])
def test_damaged_answers_raise(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    store.put({"a": 1}, {"b": 2})
    (path,) = tmp_path.iterdir()
    path.write_text(text)
    with pytest.raises(InputError, match=path.name):
        store.get({"a": 1})


def test_damaged_weights_raise(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_tensors({"a": 1}, {"weight": torch.zeros(1000)})
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=path.name):
        store.get_tensors({"a": 1})
