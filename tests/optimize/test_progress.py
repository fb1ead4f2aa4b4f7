"""What a person sees while a search runs: on a terminal of a hundred columns, and in a pipe."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from search_support import measured

from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point
from optimize.reporting.progress import Progress, clock
from optimize.reporting.running_front import RunningFront, failures_text


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def told(out: io.StringIO, keeps: Callable[[Point], bool] = lambda point: True) -> Progress:
    """A search that has come some way."""
    tokens = [0]
    progress = Progress(
        "search",
        total=4,
        problems=10,
        latency="seconds",
        tokens=lambda: tokens[0],
        spent=lambda: "spent 5000 of 50.0k",
        calls=lambda: {"server": 3},
        keeps=keeps,
        out=out,
    )
    with progress:
        progress.seen("long_cot: 1, cap all", Point(0.4, 0.5))
        progress.started(0, "8-1 summary, kappa 192, prompts draft=from_the_last refine=checking distill=disagreements")
        progress.started(1, "16-4-1 answers, T 1")
        progress.started(2, "4-vote")
        for failure in ("truncated", None, "timeout", "truncated"):
            progress.problem(0, failure)
        tokens[0] = 5000
        progress.ended(0, measured(0.8, 2.0))
        progress.ended(1, measured(0.7, 3.0))  # dominated
    return progress


def test_in_a_pipe_there_is_a_plain_line_an_event() -> None:
    out = io.StringIO()
    status = told(out).status()
    assert "search 2/4" in status and "tok/s" in status and "time left" in status and "spent 5000 of 50.0k" in status
    assert "problems failed: truncated 2, timeout 1; calls failed: server 3" in status
    assert "front 40.0 % at 0.5 s, 80.0 % at 2 s: 8-1 summary" in status
    first, second = out.getvalue().splitlines()
    assert first.startswith("search 1/4") and "on the front" in first and "(truncated 1)" in first
    assert "on the front" not in second and "\x1b" not in out.getvalue()


def test_on_a_terminal_the_front_is_shown_and_no_line_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    told(out)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    shown = plain[plain.rindex("search 2/4") :].splitlines()  # the last picture
    assert max(map(len, shown)) <= 100
    text = "\n".join(shown)
    for words in ("front so far:", "40.0 % at 0.5 s  long_cot", "80.0 % at 2 s  8-1 summary", "truncated 2, timeout 1"):
        assert words in text, words
    assert "0/10  4-vote" in text and "16-4-1 answers" not in text


def test_what_is_beyond_a_limit_is_on_no_front() -> None:
    status = told(io.StringIO(), keeps=lambda point: point.cost < 1).status()
    assert "front 40.0 % at 0.5 s: long_cot" in status


def test_a_long_front_is_shown_by_members_that_stand_for_it() -> None:
    running = RunningFront(Objectives("tokens"))
    assert running.line(3) == "" and running.front() == []
    assert all(running.add(Point(i / 20, 100.0 * i), f"w{i}") for i in range(1, 15))
    assert len(running.front()) == 14 and len(running.front(3)) == 3
    assert running.line(3).endswith("70.0 % at 1,400 tokens: w14")


@pytest.mark.parametrize(
    ("problems", "calls", "text"),
    [
        ({}, {}, ""),
        ({"empty": 1, "truncated": 12}, {}, "problems failed: truncated 12, empty 1"),
        ({}, {"server": 2}, "calls failed: server 2"),
    ],
)
def test_failures_by_kind(problems: dict[str, int], calls: dict[str, int], text: str) -> None:
    assert failures_text(problems, calls) == text


@pytest.mark.parametrize(("seconds", "text"), [(7, "0:07"), (750, "12:30"), (3723, "1:02:03")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
