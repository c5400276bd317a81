"""Whether a study's kept answers are about the recordings at hand.

Keys name a data set, not its content, and a folder may hold another part of a published set later.
"""

import hashlib
import json
import os
from pathlib import Path

from stochi.data.streams import Streams
from stochi.errors import InputError
from stochi.files import check_plain_file, write_whole

Digests = dict[str, list[str]]


def check_recordings(folder: str | Path, data: str, training: Streams, test: Streams) -> None:
    """Note the recordings of a study in its folder, or compare them with those noted earlier.

    Args:
        folder: folder of the answers.
        data: name of the data set.
        training, test: the parts that the study uses, from the front of the set.

    Raises:
        InputError: the folder's answers are about other recordings, or the note is damaged.
    """
    path = Path(folder) / f"recordings-{data}.json"
    ours = {"training": _digests(training), "test": _digests(test)}
    noted = _read(path)
    for part, digests in ours.items():
        before = noted.get(part, [])
        for number, (here, there) in enumerate(zip(digests, before, strict=False)):
            if here != there:
                raise InputError(
                    f"{folder}: its answers are about other recordings of {data} (the {part} part"
                    f" differs from number {number} on); name the folder of data that they were"
                    " found with, or another --out"
                )
        ours[part] = max(digests, before, key=len)
    if ours != noted:
        write_whole(path, json.dumps(ours) + "\n")


def _read(path: Path) -> Digests:
    if not os.path.lexists(path):
        return {}
    check_plain_file(path, "delete it if its answers are about the same data")
    try:
        noted: Digests = json.loads(path.read_text())
        found = {part: noted[part] for part in ("training", "test")}
        if not all(isinstance(d, list) and all(type(e) is str for e in d) for d in found.values()):
            raise TypeError("not the digests of recordings")
        return found
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: damaged note of a study's recordings; delete it if its answers are about the"
            " same data"
        ) from error


def _digests(samples: Streams) -> list[str]:
    """Return a digest of each recording's frames and label."""
    frames = samples.inputs.transpose(0, 1).bool().numpy()
    labels = samples.labels.tolist()
    return [
        hashlib.sha256(bytes([label % 256]) + frame.tobytes()).hexdigest()[:16]
        for frame, label in zip(frames, labels, strict=True)
    ]
