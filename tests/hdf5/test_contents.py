"""What of a file of HDF5 passes to the process that asked for it."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from stochi.errors import GraphError, InputError
from stochi.hdf5 import contents
from stochi.hdf5.contents import Form, check_objects, read_contents

FORM = Form("a file of numbers", "write it again", fields=True)
PADDED = np.dtype({"names": ["a", "b"], "formats": [">i2", "?"], "offsets": [4, 9], "itemsize": 16})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened["first/x"] = np.arange(6, dtype=">f4").reshape(2, 3)
        opened["first/Label"] = np.array([b"a", b"b"])
        opened["first/inner/x"] = 1j
        opened["rows"] = np.array([(1, True), (-2, False)], PADDED)
    return tmp_path / "a.h5"


def form(**changed: Any) -> Form:
    return Form(FORM.what, FORM.remedy, **changed)


def test_fields_are_read_by_their_names(file: Path) -> None:
    rows = read_contents(file, form(places=("rows",), fields=True))["rows"]
    assert rows.dtype == np.dtype([("a", "i2"), ("b", "?")])
    assert rows["a"].tolist() == [1, -2] and rows["b"].tolist() == [True, False]
    with pytest.raises(InputError, match="neither numbers nor text"):
        read_contents(file, form(places=("rows",)))


def test_the_first_place_that_is_there_is_read_alone(file: Path) -> None:
    found = read_contents(file, form(places=("nowhere", "first", "/"), names=("x",)))
    assert list(found) == ["first"]
    assert found["first"]["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert {name for name, value in found["first"].items() if value is None} == {"Label", "inner"}
    assert read_contents(file, form(places=("nowhere",))) == {}
    everything = read_contents(file, form(places=("/",), names=("rows",), fields=True))
    assert everything["first"] is None and len(everything["rows"]) == 2


@pytest.mark.parametrize("type_", [[("a", "f4", (2,))], [("a", "S3")], [("a", [("b", "i4")])]])
def test_fields_that_are_not_numbers(type_: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened["a"] = np.zeros(3, type_)
    with pytest.raises(InputError, match="has a field 'a' that is not numbers"):
        read_contents(tmp_path / "a.h5", FORM)


def test_copies_count_towards_the_budget(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "1e6")
    read_contents(file, form(places=("first",), names=("x",)))
    with pytest.raises(InputError, match="STOCHI_MEMORY"):
        read_contents(file, form(places=("first",), names=("x",), copies=10**5))


def test_a_file_over_the_budget_is_told_by_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "100")
    with pytest.raises(InputError, match=r"a\.h5 would take .* the budget of 100 bytes"):
        read_contents(file, FORM)


def test_objects_are_looked_at_and_values_are_not_read(file: Path) -> None:
    check_objects(file, form())
    with h5py.File(file, "r+") as opened:
        opened.create_dataset("texts", 3, h5py.string_dtype())
        opened["other"] = opened["first"]
    with pytest.raises(InputError, match="another name too"):
        check_objects(file, form())


@pytest.mark.parametrize("ask", [read_contents, check_objects])
def test_a_library_that_crashes_is_the_error_that_was_asked_for(
    ask: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_CODE", "import os; os.abort()")
    says = "not a file of numbers, or damaged; write it again"
    with pytest.raises(GraphError, match=says):
        ask(file, form(error=GraphError))
