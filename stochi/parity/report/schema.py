"""The JSON schema of a saved report, made from its types."""

from typing import Any

from pydantic import TypeAdapter

from stochi.parity.report.loading import complete_schema
from stochi.parity.report.report import ParityReport


def report_schema() -> dict[str, Any]:
    """JSON schema of what :meth:`ParityReport.save` writes; it allows no other keys."""
    return complete_schema(TypeAdapter(ParityReport).json_schema())
