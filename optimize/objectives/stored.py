"""What is kept of a measurement, as it is read back from a study and from `front.json`: checked field by field.

Files and storages are edited, cut off and written by other versions. What is read of them is checked here, once, and
says which field is wrong; what else stands in them is left alone. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from pdr_dspy.workflow.complaints import first_problem


class _Stored(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class StoredCall(_Stored):
    """Calls of a problem that failed alike."""

    stage: str
    kind: str
    count: int
    detail: str
    text: str
    fallback: str


class StoredTrouble(_Stored):
    """What went wrong with one problem."""

    problem: str
    sample: int
    correct: bool
    failure: str
    detail: str
    read: dict[str, int]
    drafts: int
    calls: list[StoredCall]


class StoredMeasurement(_Stored):
    """A measurement's plain data."""

    accuracy: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    p50: float
    p95: float
    metrics: dict[str, float]
    failures: dict[str, int]
    count: int = Field(ge=0)
    given_up: str = ""
    troubles: list[StoredTrouble] = []
    quote: str = ""


class StoredRow(_Stored):
    """A row of `front.json`, as far as it is read."""

    name: str
    title: str
    baseline: bool
    report_front: bool
    unsure: bool
    titles: list[str] = []
    report: StoredMeasurement
    search: StoredMeasurement | None


class StoredAtLoad(_Stored):
    """A workflow at one load."""

    name: str
    p50: float
    marks: str


class StoredLoad(_Stored):
    """The workflows at one load."""

    load: int
    problems: int
    rows: list[StoredAtLoad]


class StoredReport(_Stored):
    """`front.json`, as far as it is read."""

    rows: list[StoredRow]
    report_problems: int
    load: int
    loads: list[StoredLoad] = []


class StoredScores(_Stored):
    """What a trial did, problem by problem."""

    accuracy: list[float]


_Model = TypeVar("_Model", bound=BaseModel)


def checked(model: type[_Model], plain: Any) -> _Model:
    """Plain data, checked.

    Raises:
        ValueError: a field is missing or is of another kind; names it (`rows[1].report.accuracy: ...`).
    """
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        raise ValueError(first_problem(error, "all of it")) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def report_of(plain: Any) -> Mapping[str, Any]:
    """The data of a `front.json`.

    Raises:
        ValueError: it is none; names the row and the field.
    """
    report = checked(StoredReport, plain)
    for i, load in enumerate(report.loads):
        if len(load.rows) != len(report.loads[0].rows):
            raise ValueError(f"loads[{i}].rows: {len(load.rows)} where loads[0] has {len(report.loads[0].rows)}")
    for i, row in enumerate(report.rows):
        for name in ("mean_seq_generated", "mean_total_generated", "mean_b_total"):
            if name not in row.report.metrics:
                raise ValueError(f"rows[{i}].report.metrics.{name}: Field required")
    return dict(plain)
