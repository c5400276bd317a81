"""Reading of a saved report: its version, its keys, its types, and what must fit together."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from stochi.budget import check_memory
from stochi.errors import InputError
from stochi.files import check_plain_file
from stochi.parity.report.consistency import find_contradictions
from stochi.parity.report.documents import Place, clear_faults, read_document, write_place
from stochi.plain_text import shorten_repr

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport

FORMAT_VERSION = 9
_ADDED = {8: ("costs", "events")}
"""Earlier version that is read as well → keys that it lacks; they are None."""
DERIVED = ("version", "compared", "mismatches", "warnings")
"""Keys of a file that are not a report's own."""
_NAME_ONE = "name a report.json of 'stochi parity'"
_BYTES = 40
"""Bytes of memory that a byte of JSON may take."""
_SHOWN = 8
"""Number of problems that a message names."""


def complete_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a file, from that of the report's types: all keys, and no others."""
    schema["properties"] |= {
        "version": {"const": FORMAT_VERSION},
        "compared": {"type": "integer", "minimum": 0},
        "mismatches": {"type": "integer", "minimum": 0},
        "warnings": {"type": "array", "items": {"type": "string"}},
    }
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
            part["required"] = sorted(part["properties"])
    return schema


def load_report(path: Path, kind: "type[ParityReport]") -> "ParityReport":
    """Read a report; see :meth:`stochi.parity.ParityReport.load`."""
    values, faults = clear_faults(_read(path))
    adapter = TypeAdapter(kind)
    schema = complete_schema(adapter.json_schema())
    problems = [f"{write_place(place)} {words}" for place, words in faults.items()]
    problems += _of_keys(values, schema, schema["$defs"], ())
    report = None
    own = {key: value for key, value in values.items() if key not in DERIVED}
    try:
        report = adapter.validate_json(json.dumps(own), strict=True)
    except ValidationError as error:
        problems += _of_types(error, values, faults)
    if report is not None:
        problems += find_contradictions(report)
        for name in ("compared", "mismatches"):
            if name in values and values[name] != getattr(report, name):
                problems.append(f"{name} is not the sum over exact, {getattr(report, name)}")
    if problems or report is None:
        raise InputError(f"{path}: not a whole report: {_listed(problems)}; make it again")
    return report


def _read(path: Path) -> dict[str, Any]:
    """Return the object in a file, of this version; what an earlier one lacks is None."""
    check_plain_file(path, "name a report of 'stochi parity'")
    check_memory(_BYTES * path.stat().st_size, f"{path}")
    try:
        values = read_document(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a report: {_not_json(error)}; {_NAME_ONE}") from None
    if not isinstance(values, dict) or "version" not in values or "configuration" not in values:
        raise InputError(f"{path}: not a report: it is JSON of something else; {_NAME_ONE}")
    version = values["version"]
    if type(version) is not int or version not in (*_ADDED, FORMAT_VERSION):
        known = ", ".join(map(str, _ADDED))
        raise InputError(
            f"{path}: a report in version {shorten_repr(version)} of the format, and this Stochi"
            f" reads versions {known} and {FORMAT_VERSION}; run the check again, or read it with"
            " the Stochi that wrote it"
        )
    for key in _ADDED.get(version, ()):
        values.setdefault(key, None)
    return values


def _not_json(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON, from line {error.lineno}, column {error.colno} on"
    return "it has too many levels" if isinstance(error, RecursionError) else "it is not text"


def _of_types(error: ValidationError, values: Any, faults: Collection[Place]) -> Iterator[str]:
    """Yield what is wrong with the types of values and their bounds, place by place."""
    found: dict[Place, list[str]] = {}
    for one in error.errors(include_url=False):
        if one["type"] not in ("missing", "unexpected_keyword_argument"):
            place = _place_in(values, one["loc"])
            if not any(place[: len(fault)] == fault for fault in faults):
                words = found.setdefault(place, [])
                words.append(_words(one["type"], one["msg"]))
    for place, several in found.items():
        value = _value_at(values, place)
        shown = "" if isinstance(value, dict | list) else f" is {shorten_repr(value)}"
        yield f"{write_place(place)}{shown}: {' or '.join(dict.fromkeys(several))}"


def _words(kind: str, message: str) -> str:
    """Return in the words of JSON what pydantic says."""
    if kind in ("dataclass_type", "dict_type", "mapping_type"):
        return "it must be an object"
    if kind in ("tuple_type", "list_type"):
        return "it must be a list"
    return message.removeprefix("Value error, ").replace("Input should", "it must", 1)


def _place_in(values: Any, location: Place) -> Place:
    """Return the part of a location of pydantic that is a place; names of types may follow."""
    for number, key in enumerate(location):
        keys = values if isinstance(values, dict) else ()
        if key not in (range(len(values)) if isinstance(values, list) else keys):
            return location[:number]
        values = values[key]
    return location


def _value_at(values: Any, place: Place) -> Any:
    for key in place:
        values = values[key]
    return values


def _of_keys(value: Any, schema: Any, types: Mapping[str, Any], place: Place) -> Iterator[str]:
    """Yield the keys that are missing, and those that are unknown; types are pydantic's matter."""
    for option in schema.get("anyOf", [schema]) if isinstance(schema, Mapping) else []:
        part = types[option["$ref"].rpartition("/")[2]] if "$ref" in option else option
        if isinstance(value, dict) and "properties" in part:
            known = part["properties"]
            yield from (
                f"{write_place((*place, key))} is missing" for key in known if key not in value
            )
            for key, inner in value.items():
                if key not in known:
                    yield f"{write_place((*place, key))} is unknown"
                else:
                    yield from _of_keys(inner, known[key], types, (*place, key))
        elif isinstance(value, dict) and isinstance(part.get("additionalProperties"), Mapping):
            for key, inner in value.items():
                yield from _of_keys(inner, part["additionalProperties"], types, (*place, key))
        elif isinstance(value, list) and "items" in part:
            for number, inner in enumerate(value):
                yield from _of_keys(inner, part["items"], types, (*place, number))


def _listed(problems: list[str]) -> str:
    several = list(dict.fromkeys(problems))
    more = len(several) - _SHOWN
    shown = "; ".join(several[:_SHOWN])
    return shown if more <= 0 else f"{shown}; and {more} more"
