"""Attacked images that are kept until a check is finished, so that one that stopped goes on."""

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stochi.attacks.chosen import Chosen
from stochi.attacks.recipe import Recipe
from stochi.data.samples import Samples
from stochi.errors import StochiWarning, explain_cause, first_line
from stochi.files import is_plain_file
from stochi.packages import VERSION
from stochi.parity.attacked import Remember
from stochi.program.program import Program
from stochi.tensor_files import digest_of, load_torch, save_torch

FORMAT = 2
ENDING = ".unfinished"
"""Ending of the folder's name, after that of the report."""


class UnkeptImages(StochiWarning):
    """Warning that attacked images cannot be kept, or that kept ones are damaged."""


@dataclass(frozen=True)
class KeptImages:
    """A folder of attacked images, a file for each batch, named by all that it depends on.

    Attributes:
        folder: the folder, which is made when it is needed.
        about: digest of models, Program and samples.
    """

    folder: Path
    about: str

    @staticmethod
    def of(
        folder: Path,
        models: Sequence[nn.Module],
        program: Program,
        samples: Samples,
        batch_size: int,
    ) -> "KeptImages":
        """Return the folder for a check of these models and this Program on these samples."""
        weights = [dict(one.state_dict()) for one in models]
        layers = [str(asdict(layer)) for layer in program.layers]
        about = digest_of(
            [
                [VERSION, str(program.target), *layers],
                [repr(model) for model in models],
                weights,
                [samples.inputs, samples.labels, batch_size],
            ]
        )
        return KeptImages(folder, about)

    def remembering(self, recipe: Recipe, made_on: str | None) -> Remember:
        """Return what looks for a batch first, and keeps it if it had to be attacked.

        Args:
            recipe: of the attack.
            made_on: the surface.
        """

        def remember(part: tuple[int, int], make: Callable[[], Chosen]) -> Chosen:
            found = self.find(recipe, made_on, part)
            if found is None:
                found = make()
                self.keep(recipe, made_on, part, found)
            return found

        return remember

    def find(self, recipe: Recipe, made_on: str | None, part: tuple[int, int]) -> Chosen | None:
        """Return a batch's attacked images; None if they are not there, or damaged.

        Args:
            recipe: of the attack.
            made_on: the surface.
            part: first sample and size of the batch.

        Warns:
            UnkeptImages: the file is damaged.
        """
        path = self._path(recipe, made_on, part)
        if not is_plain_file(path):
            return None
        try:
            found = load_torch(path)
            inputs, by = found["inputs"], tuple(found["by"])
            if found["sha256"] != digest_of([inputs, list(by)]):
                raise ValueError("its checksum differs")
        except Exception as error:  # torch.load raises many types for a file that is not its own
            message = f"{path} is damaged ({first_line(error)}); the images are attacked again"
            warnings.warn(message, UnkeptImages, stacklevel=2)
            return None
        return Chosen(inputs, by)

    def keep(
        self, recipe: Recipe, made_on: str | None, part: tuple[int, int], chosen: Chosen
    ) -> None:
        """Keep a batch's attacked images.

        Warns:
            UnkeptImages: they cannot be written; the check goes on without.
        """
        inputs, by = chosen.inputs.cpu(), list(chosen.by)
        content: dict[str, Any] = {"inputs": inputs, "by": by, "sha256": digest_of([inputs, by])}
        path = self._path(recipe, made_on, part)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_torch(path, content)
        except OSError as error:
            message = f"{path}: not kept ({explain_cause(error)}); the check goes on"
            warnings.warn(message, UnkeptImages, stacklevel=2)

    def remove(self) -> None:
        """Remove the folder, when the report is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, recipe: Recipe, made_on: str | None, part: tuple[int, int]) -> Path:
        key = json.dumps([FORMAT, self.about, asdict(recipe), made_on, part], sort_keys=True)
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.pt"
