"""A report as plain data and as JSON, as `front.json` keeps it (read back by `optimize.objectives.stored`). Pure."""

from __future__ import annotations

import json
from typing import Any

from optimize.reporting import load_table
from optimize.reporting.report import Report
from pdr_dspy.secrets.redaction import redacted_json

_FIELDS = (
    "study",
    "model",
    "budget",
    "data",
    "load",
    "in_flight",
    "search_problems",
    "report_problems",
    "samples",
    "format",
)


def as_json(report: Report) -> str:
    """The same as JSON."""
    return json.dumps(redacted_json(as_data(report)), indent=1, ensure_ascii=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The same as plain data."""
    plain: dict[str, Any] = {name: getattr(report, name) for name in _FIELDS}
    plain |= {"latency": report.objectives.latency, "objectives": list(report.objectives.names)}
    plain["loads"] = load_table.as_data(report)
    on_front, unsure = report.fronted(), report.unsure()
    plain["optimism"] = report.optimism()
    plain["rows"] = [
        {
            "name": row.name,
            "title": row.title,
            "baseline": row.baseline,
            "winner": row.winner,
            "titles": list(row.titles),
            "search_front": row.member,
            "report_front": i in on_front,
            "unsure": i in unsure,
            "workflow": row.workflow,
            "report": row.measured.as_dict(),
            "search": {**row.searched.as_dict(), "troubles": []} if row.searched else None,  # the study has them
        }
        for i, row in enumerate(report.rows)
    ]
    return plain
