"""What both commands are asked: which model, which problems, at what budget, and what is weighed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_serializer, field_validator, model_validator

from optimize.objectives.criteria import Latency, Objectives, parse_objectives
from optimize.objectives.loads import check_loads, parse_loads
from optimize.request.base import Request
from optimize.request.formats import parse_formats
from pdr_dspy.budget import Budget
from pdr_dspy.endpoint.settings import split_urls
from pdr_dspy.errors import InputError
from pdr_dspy.modules.given import given_budget
from pdr_dspy.workflow import Format

Thinking = Literal["auto", "server", "continue", "off"]


def _budget(value: Any) -> Any:
    return given_budget(value) if isinstance(value, int | str) else value


def _listed(value: Any) -> str:
    """A list as it is written on a command line: `1,8,32`."""
    return value if isinstance(value, str) else ",".join(map(str, value if isinstance(value, Sequence) else [value]))


def named(value: Any) -> Any:
    """A name that YAML has read as a number or a day."""
    return str(value) if isinstance(value, int | float | date) else value


def _loads(value: Any) -> Any:
    return parse_loads(_listed(value))


def _formats(value: Any) -> Any:
    return () if value is None or value in ((), []) else parse_formats(_listed(value))


def _urls(value: Any) -> Any:
    if value is None:
        return ()
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(url, str) for url in given):
        raise InputError("--endpoint", f"{value!r:.60} is no address", "Give http://host:8000/v1, or several in a list")
    return tuple(part for url in given for part in split_urls(url) or (url,))


class ModelRequest(Request):
    """Which model is asked, and how hard.

    Without an `endpoint` the embedded reasoner is started and ended.
    """

    endpoint: Annotated[tuple[str, ...], BeforeValidator(_urls)] = Field(
        (), description="http://host:8000/v1; several are replicas of one model"
    )
    model: Annotated[str | None, BeforeValidator(named)] = Field(
        None, description="the model's name, as its server has it"
    )
    load: Annotated[tuple[int, ...], BeforeValidator(_loads)] = Field(
        (32,), description="a number of requests in flight, or several: 32 or 1,8,32"
    )
    thinking: Thinking = Field("auto", description="one of auto, server, continue, off")

    @model_validator(mode="after")
    def _model_is_served(self) -> Self:
        if self.model and not self.endpoint:
            mend = "Give --endpoint http://host:8000/v1, or leave --model out"
            raise InputError("--model", "there is no --endpoint that could serve it", mend)
        return self

    @property
    def most_in_flight(self) -> int:
        """The largest load: that of a search, and of the first part of a report."""
        return self.load[-1]


class ProblemsRequest(Request):
    """Which problems, and how they are read; the fields are `load_data`'s."""

    data: str = Field("worksheets", description="a data set by name, a file, hf:org/name:split or gym:TASK")
    inputs: str | None = Field(None, description="names of columns, separated by commas")
    answer: str | None = Field(None, description="the name of a column, or a path into one")
    options: str | None = Field(None, description="the column of options, or one column an option: A,B,C,D")
    grader: str | None = Field(None, description="integer, number, math, choice, words, exact, all, any or module:name")
    tolerance: str | None = Field(None, description="how far a number may be off: 1e-3 or +-0.5")
    signature: str | None = Field(None, description='a signature: "question -> answer: int"')
    instruction: str | None = Field(None, description="what is to be done, in words")
    skip_empty: bool = Field(False, description="true or false")
    limit: int | None = Field(None, description="a number of problems")

    @field_validator("data", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("tolerance", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class MeasureRequest(ModelRequest, ProblemsRequest):
    """What is measured: problems of a data set, at a budget, by a model, weighed by objectives."""

    budget: Annotated[Budget, BeforeValidator(_budget)] = Field(
        description="what one problem may cost, such as tokens=16k (generated along its path)"
    )
    format: Annotated[tuple[Format, ...], BeforeValidator(_formats)] = Field(
        (), description="one or several of plain, markers, json, xml"
    )
    samples: int = Field(1, ge=1, description="runs of each problem")
    seed: int = Field(0, ge=-(2**63), le=2**63 - 1, description="a whole number")
    latency: Latency = Field("seconds", description="seconds or tokens")
    objectives: Objectives = Field(
        Objectives(), description="accuracy, and latency, total_tokens or both: accuracy,latency"
    )
    runs: Path = Field(Path("runs"), description="a directory")

    @field_validator("objectives", mode="before")
    @classmethod
    def _objectives(cls, value: Any, info: ValidationInfo) -> Any:
        latency = info.data.get("latency", "seconds")
        value = value.names if isinstance(value, Objectives) else value
        return parse_objectives(_listed(value), latency)

    @field_serializer("budget")
    def _as_text(self, value: Budget) -> str:
        return str(value)

    @field_serializer("objectives")
    def _as_names(self, value: Objectives) -> list[str]:
        return list(value.names)

    @model_validator(mode="after")
    def _loads_make_sense(self) -> Self:
        check_loads(self.load, self.objectives, self.budget)
        return self
