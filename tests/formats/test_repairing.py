"""JSON as models write it: mended where it can be, given up where mending would take too long."""

from __future__ import annotations

from typing import Any, Literal

import dspy
import pytest

from pdr_dspy.formats import adapter
from pdr_dspy.formats.objects import first_closed
from pdr_dspy.formats.repairing import python_literal, repaired
from pdr_dspy.formats.typed import strict


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2], "b": "x"}', {"a": [1, 2], "b": "x"}),
        ("{'a': 1, b: 'x',}", {"a": 1, "b": "x"}),
        ('{"a": "said "yes" to it"}', {"a": 'said "yes" to it'}),
        ('{"a": [1, 2', {"a": [1, 2]}),
        ("no value", ""),
    ],
)
def test_what_is_nearly_json_is_mended_into_plain_values(text: str, value: Any) -> None:
    found = repaired(text)
    assert found == value
    assert all(type(each) in (str, int, list) for each in (found.values() if isinstance(found, dict) else [found]))


@pytest.mark.parametrize(
    "text",
    ["\\boxed{1}" * 4000, "[" + "],\\frac{1}{" * 2000 + "}", '["' + '"a": ' * 8000, "(" * 20_000, "[" * 100_000],
    ids=["boxes", "fractions", "keys", "parentheses", "brackets"],
)
def test_what_takes_too_long_to_mend_is_given_up(text: str) -> None:
    with pytest.raises(ValueError, match=r"repaired|too long"):
        repaired(text)


def test_deep_json_that_is_valid_needs_no_mending() -> None:
    assert strict("[" * 50 + "1" + "]" * 50, list[Any])[0]


@pytest.mark.parametrize("text", ["-" * 10_000 + "1", "(" * 300, "1+" * 9_000 + "1", "9" * 5000, "\0", "~" * 30_000])
def test_what_is_no_literal_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        python_literal(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [("a {1} {2}", "{1}"), ("{ {1} {2}", "{1}"), ("x{a{b}c}", "{a{b}c}"), ("}{", None), ("", None)],
)
def test_the_first_closed_part(text: str, part: str | None) -> None:
    assert first_closed(text) == part


def test_an_option_is_taken_as_it_is_spelled_quoted_or_as_json() -> None:
    assert strict(' "A" ', Literal["A", "B"]) == "A"
    assert strict("2", Literal[1, 2]) == 2
    with pytest.raises(ValueError):
        strict("C", Literal["A", "B"])


def test_of_two_objects_the_first_one_is_the_answer() -> None:
    signature = dspy.Signature("question -> answer, count: int")
    found = adapter("json").parse(signature, '{"answer": "x", "count": 2}\n{"answer": "y", "count": 3} and so on')
    assert found == {"answer": "x", "count": 2}
