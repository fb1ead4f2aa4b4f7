"""A draft as the stages after it read it."""

from __future__ import annotations

import datetime
import enum

import pydantic

from pdr_dspy.modules.signatures import render_draft


class Color(enum.Enum):
    RED = "red"


class Inner(pydantic.BaseModel):
    a: int
    tags: list[str]


def test_a_draft_shows_its_values_as_they_are_to_be_written() -> None:
    outputs = {
        "colour": Color.RED, "inner": Inner(a=1, tags=["x"]), "day": datetime.date(2024, 5, 6), "names": ["a", "b"],
        "answer": "42", "sure": True,
    }  # fmt: skip
    assert render_draft(outputs, "work ") == (
        'work\ncolour: red\ninner: {"a": 1, "tags": ["x"]}\nday: 2024-05-06\nnames: ["a", "b"]\nanswer: 42\nsure: True'
    )
