"""Where and when a pattern of events appears in a sample."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import torch

from stochi.arguments import check_fields
from stochi.attacks.base import check_seed
from stochi.data.words import draw_words
from stochi.errors import InputError
from stochi.hardware.draws import LayerDraws
from stochi.plain_text import text_of

PATTERN_LAYER = 2**16 - 3
"""Layer whose draws no network and nothing in ``stochi.data`` shares."""
FARTHEST = 2**20
"""Largest shift, in steps or pixels."""
_WORD = 32

Range = tuple[int, int]


@dataclass(frozen=True)
class Offsets:
    """The shifts that a pattern's application draws from, uniformly, one for each sample.

    Attributes:
        steps: lowest and highest shift in time steps. The pattern plays in a loop: what leaves the
            last step enters the first.
        rows, columns: lowest and highest shift in space. What leaves the sensor is not shown.

    Raises:
        InputError: a range is not two whole numbers in ascending order.
    """

    steps: Range = (0, 0)
    rows: Range = (0, 0)
    columns: Range = (0, 0)

    def __post_init__(self) -> None:
        check_fields(self, besides=("steps", "rows", "columns"))
        for name, value in self.ranges.items():
            whole = (
                isinstance(value, tuple)
                and len(value) == 2
                and all(isinstance(end, Integral) and not isinstance(end, bool) for end in value)
            )
            if not whole or not -FARTHEST <= value[0] <= value[1] <= FARTHEST:
                raise InputError(
                    f"the offsets' {name} are {text_of(value)}; they must be the lowest and the"
                    f" highest shift, two whole numbers from {-FARTHEST} to {FARTHEST} in this"
                    " order"
                )

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges by name, in the order of the columns of :meth:`draw`."""
        return {"steps": self.steps, "rows": self.rows, "columns": self.columns}

    @property
    def loops(self) -> bool:
        """Whether the pattern is ever shifted in time."""
        return self.steps != (0, 0)

    def draw(
        self, count: int, seed: int | None, trial: int = 0, first_sample: int = 0
    ) -> torch.Tensor:
        """Draw the shift of each sample, a pure function of (seed, trial, sample).

        Args:
            count: number of samples.
            seed: whole number in [0, 2⁶⁴); None for the middle of every range, without a draw.
            trial: whole number in [0, 2³²).
            first_sample: number of the first sample.

        Returns:
            (count, 3) int64: steps, rows, columns.

        Raises:
            InputError: the seed or the trial is out of range.
        """
        ends = np.array(list(self.ranges.values()), np.int64)
        low, span = ends[:, 0], ends[:, 1] - ends[:, 0] + 1
        if seed is None:
            return torch.from_numpy(low + (span - 1) // 2).expand(count, 3)
        check_seed(seed)
        samples = np.arange(first_sample, first_sample + count)
        key, step = int(seed) & (2**_WORD - 1), int(seed) >> _WORD
        draws = LayerDraws(key, trial, PATTERN_LAYER, step)
        words = draw_words(samples, len(self.ranges), _WORD // 8, draws)
        return torch.from_numpy(low + (words * span >> _WORD))


def shifted_by(steps: int, pixels: int) -> Offsets:
    """Return offsets of at most that many steps and pixels, in every direction.

    Raises:
        InputError: a number is negative or not whole.
    """
    for name, value in (("steps", steps), ("pixels", pixels)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
            raise InputError(
                f"shift by {text_of(value)} {name}; it must be a whole number of at least 0"
            )
    return Offsets((-steps, steps), (-pixels, pixels), (-pixels, pixels))
