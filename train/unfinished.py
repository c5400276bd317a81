"""A file in which a training is kept until it ends, and from which it goes on if interrupted."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stochi.arguments import check_fields, shown
from stochi.errors import InputError, StochiWarning, check_not_negative, explain_cause, first_line
from stochi.files import check_plain_file, what_is_missing
from stochi.tensor_files import digest_of, load_torch, save_torch

FORMAT = "stochi-unfinished-training"
VERSION = 1
ENDING = ".unfinished"
"""What is added to the name of a checkpoint for the training that will write it."""
_SUM = "sha256"
_SHOWN = 4
"""Number of differences that a message names."""


class DamagedTraining(StochiWarning):
    """Warning that the file of an interrupted training is damaged, so that training starts anew."""


class StaleTraining(StochiWarning):
    """Warning that a kept training is another one, so that training starts anew."""


class UnkeptTraining(StochiWarning):
    """Warning that a training cannot be kept, so that it starts anew if it is interrupted."""


@dataclass(frozen=True)
class UnfinishedTraining:
    """Where a training is kept after every epoch, and every few minutes, until it has ended.

    ``train_classifier(keep=)`` goes on with what it finds there, with the numbers that it would
    have had without the interruption. The file stays when training has ended, for
    :meth:`remove` once the weights are safe.

    Attributes:
        path: the file.
        about: what else the training depends on, as plain values, such as the options of the
            network. A training with other ones does not go on with the file.
        seconds: time, at least 0, after which it is kept also within an epoch.
        replaces: whether another training's file gives a warning, and training starts anew; it
            is an error otherwise.
        way_out: what to do about the file of another training, as the end of a message.
        report: called with a line of text when a training goes on.

    Raises:
        InputError: a value is out of range.
    """

    path: str | Path
    about: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 600.0
    replaces: bool = False
    way_out: str = "pass the same to go on with it, remove the file, or choose another one"
    report: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        check_fields(self)
        check_not_negative(seconds=self.seconds)
        try:
            digest_of(dict(self.about))
            json.dumps(self.about)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"about is {shown(self.about)}; it holds {error}") from None

    def load(self, about: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the state of a training that was interrupted, None if there is none.

        Args:
            about: what the training at hand depends on, beside the attribute.

        Raises:
            InputError: the file belongs to another training, and is not to be replaced, or it
                cannot be read.

        Warns:
            DamagedTraining: the file is damaged.
            StaleTraining: it belongs to another training.
        """
        path = Path(self.path)
        if what_is_missing(path) == "no such file":
            return None
        check_plain_file(path)
        try:
            found, state = _checked(load_torch(path))
        except InputError:  # the budget
            raise
        except Exception as error:  # torch.load raises many types for a foreign file
            self.warn_of_damage(error)
            return None
        differences = list(_differences(found, _as_read({**self.about, **about})))
        if differences:
            more = len(differences) - _SHOWN
            listed = "; ".join(differences[:_SHOWN]) + (f"; {more} more" if more > 0 else "")
            other = f"{path}: an interrupted training with other options ({listed})"
            if not self.replaces:
                raise InputError(f"{other}; {self.way_out}")
            warnings.warn(f"{other}; training starts anew", StaleTraining, stacklevel=2)
            return None
        return state

    def keep(self, about: Mapping[str, Any], state: dict[str, Any]) -> None:
        """Write the state of a training, aside and then into place.

        Args:
            about: as for :meth:`load`.
            state: plain values and tensors in memory.

        Warns:
            UnkeptTraining: it cannot be written; an older state stays.
        """
        whole = json.dumps({**self.about, **about})
        content: dict[str, Any] = {"format": FORMAT, "version": VERSION, "about": whole}
        content["state"] = state
        content[_SUM] = digest_of(content)
        try:
            save_torch(self.path, content)
        except OSError as error:
            warnings.warn(
                f"{self.path}: training cannot be kept there ({explain_cause(error)}); it goes on,"
                " but starts anew, or from an earlier epoch, if it is interrupted",
                UnkeptTraining,
                stacklevel=2,
            )

    def remove(self) -> None:
        """Remove the file, if there is one."""
        Path(self.path).unlink(missing_ok=True)

    def warn_of_damage(self, error: Exception) -> None:
        """Warn that the file does not hold what was written."""
        warnings.warn(
            f"{self.path}: an interrupted training, but damaged ({first_line(error)}); training"
            " starts anew",
            DamagedTraining,
            stacklevel=3,
        )


def _checked(content: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a file's training depends on, and its state; an exception if it is not whole."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("not an unfinished training")
    if content.get("version") != VERSION:
        raise ValueError(f"version {content.get('version')!r}, this Stochi reads {VERSION}")
    held = {name: value for name, value in content.items() if name != _SUM}
    if content.get(_SUM) != digest_of(held):
        raise ValueError("the checksum does not match")
    about, state = json.loads(content["about"]), content["state"]
    if not isinstance(about, dict) or not isinstance(state, dict):
        raise TypeError("not the options and the state of a training")
    return about, state


def _as_read(values: object) -> Any:
    """Return plain values as they are read from a file, with lists for tuples."""
    return json.loads(json.dumps(values))


def _differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Yield what is different, by name, of two sets of plain values."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        if before != now:
            yield f"{name} was {shown(before)}, now {shown(now)}"
        return
    for key in [*before, *(key for key in now if key not in before)]:
        yield from _differences(before.get(key), now.get(key), f"{name}.{key}" if name else key)
