"""Warnings of a block, recorded so that a command can print them in its own form."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def recorded_warnings() -> Iterator[list[str]]:
    """Yield a list that holds the messages of all warnings once the block has ended."""
    from stochi import data, deploy, export

    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        for category in (
            *(deploy.CalibrationWarning, deploy.MergedDecays, deploy.MergedThresholds),
            deploy.CoarseWeights,
            *(deploy.ConventionWarning, deploy.RepairedGraph, deploy.RangeWarning),
            *(export.QuietLayerWarning, export.ReadValuesWarning, data.AmbiguousOrder),
            *(export.SampleRangeWarning, export.ClampedDecay),
        ):
            warnings.simplefilter("always", category)
        yield messages
    messages.extend(dict.fromkeys(str(warning.message) for warning in caught))
