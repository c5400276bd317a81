"""The parity report: typed results, a JSON file, an HTML page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stochi.arguments import check_arguments
from stochi.files import write_whole
from stochi.parity.distribution.results import Distribution
from stochi.parity.report.page import render_page
from stochi.parity.report.tables import (
    ABLATION_TITLE,
    ACCURACY_TITLE,
    DIFFERENCES_TITLE,
    DISTRIBUTION_TITLE,
    ERRORS_TITLE,
    EXACT_TITLE,
    PARTS_TITLE,
    Rows,
    ablation_rows,
    accuracy_rows,
    difference_rows,
    distribution_rows,
    error_rows,
    exact_rows,
    part_rows,
)
from stochi.parity.report.warnings import find_warnings, warnings_of_own
from stochi.parity.results import (
    Ablation,
    AccuracyRow,
    Configuration,
    Errors,
    ExactComparison,
    MaskingSign,
    OwnComparison,
)

FORMAT_VERSION = 7


@dataclass(frozen=True)
class ParityReport:
    """What :func:`stochi.parity.check_parity` found; ``docs/report.md`` describes every field.

    Attributes:
        configuration: what was asked for.
        exact: comparisons value for value.
        accuracy: clean images first, then every attack, then the worst of several; empty for a
            regression.
        errors: of a regression; None if the labels are classes.
        distribution: None if it was left out.
        masking: signs of masked gradients.
        ablation: None unless it was added.
        other_weights: if there are mismatches, layer → share of the Program's weights that are not
            those that the model lowers to.
        own: the model as its author wrote it against its graph; None if it draws random numbers,
            is a graph, or does not take the samples.
    """

    configuration: Configuration
    exact: Sequence[ExactComparison] = ()
    accuracy: Sequence[AccuracyRow] = ()
    errors: Errors | None = None
    distribution: Distribution | None = None
    masking: Sequence[MaskingSign] = ()
    ablation: Ablation | None = None
    other_weights: Mapping[str, float] = field(default_factory=dict)
    own: OwnComparison | None = None

    @property
    def mismatches(self) -> int:
        """Number of mismatches in all exact comparisons."""
        return sum(entry.mismatches for entry in self.exact)

    @property
    def compared(self) -> int:
        """Number of values that were compared exactly."""
        return sum(entry.compared for entry in self.exact)

    def warnings(self) -> list[str]:
        """Sentences that a reader must know before believing the numbers."""
        found = find_warnings(self.exact, self.masking, self.distribution, self.other_weights)
        return [*warnings_of_own(self.own), *found]

    def table(self) -> Rows:
        """Rows of accuracies or errors, the first row being the head; Lava's only if it ran."""
        if self.errors is not None:
            return error_rows(self.errors)
        return accuracy_rows(self.accuracy)

    @property
    def title(self) -> str:
        """Title of :meth:`table`."""
        return ERRORS_TITLE if self.errors is not None else ACCURACY_TITLE

    def differences_table(self) -> Rows:
        """Rows of the sides' differences and of flips, the first row being the head."""
        return difference_rows(self.accuracy)

    def parts_table(self) -> Rows:
        """Rows of the parts of attacks, the first row being the head, alone if there is none."""
        return part_rows(self.accuracy)

    def exact_table(self) -> Rows:
        """Rows of the exact comparisons, the first row being the head."""
        return exact_rows(self.exact)

    def distribution_table(self) -> Rows:
        """Rows of the comparisons in distribution, the first row being the head."""
        return distribution_rows(self.distribution)

    def ablation_table(self) -> Rows:
        """Rows of the ablation's variants, the first row being the head."""
        return ablation_rows(self.ablation)

    def to_json(self) -> dict[str, Any]:
        """Plain values of all of it, as they are saved."""
        return {
            "version": FORMAT_VERSION,
            **asdict(self),
            "compared": self.compared,
            "mismatches": self.mismatches,
            "warnings": self.warnings(),
        }

    def save(self, path: str | Path) -> None:
        """Write the report as JSON, aside and then into place."""
        check_arguments(ParityReport.save, locals())
        write_whole(path, json.dumps(self.to_json(), indent=2, sort_keys=True) + "\n")

    def to_html(self, path: str | Path) -> None:
        """Write the tables as one HTML page that needs nothing else."""
        check_arguments(ParityReport.to_html, locals())
        tables = {self.title: self.table()}
        if self.errors is None:
            tables[DIFFERENCES_TITLE] = self.differences_table()
        if len(self.parts_table()) > 1:
            tables[PARTS_TITLE] = self.parts_table()
        if self.ablation is not None:
            tables[ABLATION_TITLE] = self.ablation_table()
        tables[EXACT_TITLE] = self.exact_table()
        if self.distribution is not None:
            tables[DISTRIBUTION_TITLE] = self.distribution_table()
        page = render_page(self.warnings(), tables, asdict(self.configuration))
        write_whole(path, page)
