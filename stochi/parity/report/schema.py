"""The JSON schema of a saved report, made from its types."""

from typing import Any

from pydantic import TypeAdapter

from stochi.parity.report.report import FORMAT_VERSION, ParityReport


def report_schema() -> dict[str, Any]:
    """JSON schema of what :meth:`ParityReport.save` writes; it allows no other keys."""
    schema = TypeAdapter(ParityReport).json_schema()
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
