"""The parity report: typed results, a JSON file, an HTML page, text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from stochi.arguments import check_arguments
from stochi.files import write_whole
from stochi.parity.ablation_results import Ablation, ablation_rows
from stochi.parity.bounds import Count, Share, check_interval
from stochi.parity.costs import Costs
from stochi.parity.distribution.results import Distribution
from stochi.parity.event_sample import EventSample
from stochi.parity.report.loading import FORMAT_VERSION, load_report
from stochi.parity.report.pages.fragment import render_fragment
from stochi.parity.report.pages.report_page import render_report
from stochi.parity.report.randomness import draws_nothing
from stochi.parity.report.tables import (
    ACCURACY_TITLE,
    ERRORS_TITLE,
    Rows,
    accuracy_rows,
    difference_rows,
    distribution_rows,
    error_rows,
    exact_rows,
    part_rows,
)
from stochi.parity.report.verdict import Verdict, find_verdict
from stochi.parity.report.warnings import find_warnings, warnings_of_own
from stochi.parity.results import (
    AccuracyRow,
    Configuration,
    Errors,
    ExactComparison,
    FlippedImage,
    MaskingSign,
    OwnComparison,
    RunDetails,
    SampleTrace,
)
from stochi.parity.terminal import fit_table, terminal_width, wrap
from stochi.plain_text import escape_text


@dataclass(frozen=True, repr=False)
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
        confusion: "float" and "chip" → (classes, classes) numbers of answers to the clean images
            over all trials, by the right class and the answered one; None for a regression.
        flipped: a few of the images that the strongest attack flips.
        sample: one sample's run, None if it was not kept.
        costs: cores, events and energy of a sample; None if they were not kept.
        events: one sample's events, clean and under the strongest attack; None if the inputs are
            not streams of events.
        run: versions, data, time and command; None if they were not kept. Two reports are equal
            whenever they were made.
    """

    configuration: Configuration
    exact: tuple[ExactComparison, ...] = ()
    accuracy: tuple[AccuracyRow, ...] = ()
    errors: Errors | None = None
    distribution: Distribution | None = None
    masking: tuple[Annotated[MaskingSign, AfterValidator(check_interval)], ...] = ()
    ablation: Ablation | None = None
    other_weights: Mapping[str, Share] = field(default_factory=dict)
    own: OwnComparison | None = None
    confusion: Mapping[str, tuple[tuple[Count, ...], ...]] | None = None
    flipped: tuple[FlippedImage, ...] = ()
    sample: SampleTrace | None = None
    costs: Costs | None = None
    events: EventSample | None = None
    run: RunDetails | None = field(default=None, compare=False)

    @staticmethod
    def load(path: str | Path) -> "ParityReport":
        """Read a report that :meth:`save` wrote; nothing in it is executed.

        Raises:
            InputError: the file is missing, is no report or one of another version, or is damaged;
                the message names all that is wrong.
        """
        check_arguments(ParityReport.load, locals())
        return load_report(Path(path), ParityReport)

    @property
    def verdict(self) -> Verdict:
        """What the report comes to, in sentences."""
        return find_verdict(self)

    def dated(
        self, date: datetime, *, command: Sequence[str] | None = None, data: str | None = None
    ) -> "ParityReport":
        """Return the report with the time of the check, and what else its caller knows.

        Args:
            date: kept in UTC, in seconds; without a time zone it is in this machine's.
            command: the words of the command line; what is not printable in them is escaped.
            data: the data in a few words.
        """
        check_arguments(ParityReport.dated, locals())
        run = self.run or RunDetails({}, "")
        moment = date.astimezone(timezone.utc).isoformat(timespec="seconds")
        words = None if command is None else tuple(map(escape_text, command))
        return replace(
            self,
            run=replace(
                run,
                date=moment,
                command=words,
                data=run.data if data is None else escape_text(data),
            ),
        )

    def __repr__(self) -> str:
        asked = self.configuration
        return (
            f"ParityReport(chip={asked.chip!r}, noise={asked.noise!r}, compared={self.compared},"
            f" mismatches={self.mismatches}, rows={len(self.accuracy)})"
        )

    def __str__(self) -> str:
        """Verdict, warnings and the table of accuracies, in lines that fit the terminal."""
        width = terminal_width()
        lines = wrap(self.verdict.text, width)
        for warning in self.warnings():
            lines += ["", *wrap(f"Warning: {warning}", width)]
        if len(self.table()) > 1:
            lines += ["", *wrap(self.title, width), *fit_table(self.table(), width)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Verdict and the table of accuracies, for a notebook."""
        return render_fragment(self)

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
        found = find_warnings(
            *(self.exact, self.masking, self.distribution, self.other_weights),
            draws_nothing(self),
        )
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
        """Rows of the twin's differences and of flips, the first row being the head.

        Differences are left out if twin and chip are right equally often, flips without attacks.
        """
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
        write_whole(path, json.dumps(self.to_json(), indent=2) + "\n")

    def to_html(self, path: str | Path) -> None:
        """Write the report as one HTML page that needs nothing else."""
        check_arguments(ParityReport.to_html, locals())
        write_whole(path, render_report(self))
