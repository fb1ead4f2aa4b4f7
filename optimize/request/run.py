"""What `optimize/run.py` is asked, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from optimize.request.measure import MeasureRequest
from pdr_dspy.errors import InputError
from pdr_dspy.modules.given import given_workflow
from pdr_dspy.workflow import Workflow


class RunRequest(MeasureRequest):
    """Workflows to be measured on the problems that a search does not see.

    Raises:
        InputError: an option out of range, one that is none, or one that needs another.
    """

    workflow: tuple[Path | Workflow, ...] = Field(
        min_length=1, description="workflows: files, presets by name, or mappings"
    )
    problems: int = Field(100, ge=1, description="a number of problems")
    dry_run: bool = Field(False, description="true or false")

    @field_validator("workflow", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        given = (value,) if isinstance(value, str | Path | Workflow | Mapping) else value
        if not isinstance(given, list | tuple):
            return given
        return tuple(given_workflow(each) if isinstance(each, Mapping) else each for each in given)

    @model_validator(mode="after")
    def _one_format(self) -> Self:
        if len(self.format) > 1:
            raise InputError(
                "--format",
                f"{','.join(self.format)!r} names {len(self.format)}, a run has one",
                "Give one, or run the command twice",
            )
        return self
