"""What is told of a data set before anything is spent on it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import Problem
from pdr_dspy.data.__main__ import main
from pdr_dspy.data.checks import doubts, listed


def problem(number: int, text: str, answer: str | None, **more: Any) -> Problem:
    return Problem(str(number), {"problem": text}, answer, **more)


def test_copies_and_contradictions() -> None:
    found = doubts(
        [
            problem(1, "What is 1+1?", "2"),
            problem(2, "What is 1+1?", " 2"),
            problem(3, "what  is 1+1", "3"),
            problem(4, "What is 1-1?", "0"),
            problem(5, "Say a", "a"),
            problem(6, "Say A.", "a"),
        ]
    )
    assert found.near == (("1", "2", "3"), ("5", "6"))
    assert found.contradicting == (("1", "2", "3"),)
    assert found.copies == ()
    assert doubts([problem(1, "a", "x"), problem(2, "a", "x")]).copies == (("1", "2"),)


def test_options_in_another_order_are_the_same_problem() -> None:
    first = problem(1, "Which?\n\nA) red\nB) blue", "A", options=("red", "blue"))
    same = problem(2, "Which?\n\nA) blue\nB) red", "B", options=("blue", "red"))
    other = problem(3, "Which?\n\nA) blue\nB) red", "A", options=("blue", "red"))
    assert doubts([first, same]).near == (("1", "2"),) and not doubts([first, same]).contradicting
    assert doubts([first, other]).contradicting == (("1", "3"),)


def test_references_that_are_no_answers() -> None:
    prose = "Because the sum of two odd numbers is even, the answer that we look for must be even too."
    long = "\\frac{1}{2} + \\frac{1}{3} + \\frac{1}{4} + x + y + z + \\sqrt{2} + \\pi + e + 1 + 2 + 3 + 4 + 5"
    found = doubts([problem(1, "a", prose), problem(2, "b", long), problem(3, "c", "N/A"), problem(4, "d", None)])
    assert (found.prose, found.nothing) == (("1",), ("3",))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12")), max_size=8))
def test_a_problem_is_in_one_group_at_most(rows: list[tuple[str, str]]) -> None:
    found = doubts([problem(number, text, answer) for number, (text, answer) in enumerate(rows)])
    grouped = [each for group in (*found.copies, *found.near) for each in group]
    assert len(grouped) == len(set(grouped))
    assert {each for group in found.contradicting for each in group} <= set(grouped)


def test_many_are_counted() -> None:
    assert listed(str(i) for i in range(8)) == "0, 1, 2, 3, 4 and 3 more"


def test_the_command_shows_what_is_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"q": f"What is {i}+{i}?", "reward": {"truth": 2 * i}, "level": 1} for i in range(20)]
    rows.append({"q": "what is 3+3", "reward": {"truth": 7}, "level": 1})
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main([str(path), "--inputs", "q", "--answer", "reward.truth", "--show", "2"]) == 0
    shown = capsys.readouterr().out
    for words in ("21 problems", "q, reward.truth, level", "for a search", "What is 1+1?", "Give the final answer",
                  "nearly the same text: 4 = 21", "different answers to one problem: 4 = 21", "reference answer: 2",
                  "--grader names another", "reward.truth is the field answer"):  # fmt: skip
        assert words in shown, words
    assert shown.count("--- problem") == 2
    assert main([str(path), "--inputs", "q", "--answer", "label"]) == 2
    assert "Columns there: q, reward.truth, level" in capsys.readouterr().err


def test_one_problem_can_not_be_split_and_is_shown_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.csv").write_text("problem,answer\n?,1\n")
    assert main([str(tmp_path / "d.csv"), "--format", "json"]) == 0
    assert "can't be split" in capsys.readouterr().out


def test_characters_that_a_terminal_does_not_have_are_shown_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"problem": "é", "answer": "1", "\\ud83d": "3", "ü": 1}\n', encoding="utf-8")
    shown = io.BytesIO()
    with monkeypatch.context() as terminal:
        terminal.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
        assert main([str(path)]) == 0
        sys.stdout.flush()
        text = shown.getvalue()
    assert b"\\ud83d" in text and b"\\xe9" in text
