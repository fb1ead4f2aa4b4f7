"""The table, and the plots say what was measured."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from search_support import measured

from optimize.objectives.criteria import Latency, Objectives
from optimize.objectives.limits import duration
from optimize.reporting.numbers import amount
from optimize.reporting.plots import Dot, as_html, as_png
from optimize.reporting.report import Report, Row, ordered
from optimize.reporting.report_data import as_json
from optimize.reporting.table import as_markdown, as_text
from pdr_dspy.errors import InputError

ROWS = (
    Row("t7", "8-1 summary", "name: a\n", measured(0.8, 2.0), measured(0.9, 2.1), member=True, titles=("best", "knee")),
    Row("long_cot", "1", "name: b\n", measured(0.4, 1.0), measured(0.5, 1.0), baseline=True),
    Row("sr", "1-1-1-1", "name: c\n", measured(0.3, 3.0), None, baseline=True),
)
REPORT = Report("s", "m", "tokens=16k", "aime24", 32, 27.5, Objectives(), 12, 10, 1, ordered(ROWS, Objectives()))


def test_the_table_is_in_order_of_latency_and_marks_front_winner_and_baselines() -> None:
    lines = as_text(REPORT).splitlines()
    assert [line.split()[:2] for line in lines[2:5]] == [["Fb", "long_cot"], ["*^F~", "t7"], ["b", "sr"]]
    assert "80.0 [60.0-100.0]" in lines[3] and "90.0" in lines[3] and "123.5k" in lines[3]
    assert "1000/2000" in lines[3] and "truncated 1" in lines[3]
    assert "-" in lines[4].split()[4]  # the search did not come to it


def test_the_caption_states_load_model_and_sizes() -> None:
    text = as_text(REPORT)
    for words in ("m on aime24", "tokens=16k", "32 requests in flight (mean 27.5)", "10 problems", "12 others"):
        assert words in text
    assert "all replayed" in as_text(replace(REPORT, in_flight=None))


def test_what_was_read_leniently_fell_back_or_was_lost_has_columns_where_there_is_any() -> None:
    def with_metrics(row: Row, **more: float) -> Row:
        return replace(row, measured=replace(row.measured, metrics={**row.measured.metrics, **more}))

    plain = as_text(REPORT)
    assert not any(column in plain for column in ("lenient", "fallback", "lost at most"))
    told = {"read_leniently": 0.124, "fallbacks": 0.004, "sum_uncounted_at_most": 12_400.0}
    odd = (with_metrics(ROWS[0], **told), with_metrics(ROWS[1]), *ROWS[2:])
    text = as_text(replace(REPORT, rows=ordered(odd, Objectives())))
    head, _, cot, best, _ = text.splitlines()[:5]
    assert head.split()[-6:] == ["lenient", "fallback", "lost", "at", "most", "failed"]
    assert " 12 % " in best and " <1 % " in best and " 12.4k  truncated 1" in best and cot.count(" 0 %") == 2
    assert "lenient: share of drafts" in text and "fallback: share of problems" in text


def test_a_format_stands_in_the_caption() -> None:
    assert "asked in the format plain" in as_text(replace(REPORT, format="plain"))
    assert "format" not in as_text(REPORT)


def test_a_front_member_that_may_be_no_better_than_a_faster_one_is_marked() -> None:
    sure = replace(ROWS[0], measured=replace(measured(0.9, 2.0), low=0.85))
    report = replace(REPORT, rows=ordered((sure, *ROWS[1:]), Objectives()))
    assert REPORT.unsure() == {1} and report.unsure() == set()
    assert "overlaps that of a cheaper front member" in as_text(REPORT)
    assert "F~" not in as_text(report)


def test_the_winners_curse_is_told_in_points() -> None:
    assert REPORT.optimism() == (pytest.approx(10), pytest.approx(10), 1)
    assert "overrated the winner by +10.0 points" in as_text(REPORT) and "+10.0" in as_markdown(REPORT)
    assert replace(REPORT, rows=ROWS[1:]).optimism() is None


def test_markdown_and_json_hold_every_workflow() -> None:
    assert all(row.workflow.strip() in as_markdown(REPORT) for row in ROWS)
    rows = json.loads(as_json(REPORT))["rows"]
    assert [(r["name"], r["winner"], r["report_front"]) for r in rows] == [
        ("long_cot", False, True),
        ("t7", True, True),
        ("sr", False, False),
    ]


@pytest.mark.parametrize("latency", ["seconds", "tokens"])
def test_plots_need_no_network_and_no_browser(latency: Latency) -> None:
    objectives = Objectives(latency)
    dots = [
        Dot(r.name, r.title, r.measured.point(objectives), r.measured.low, r.measured.high, r.baseline) for r in ROWS
    ]
    html = as_html(dots, objectives, "s")
    assert "long_cot" in html and "<script src=" not in html
    assert as_png(dots, objectives, "s").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("tokens", "text"), [(0, "0"), (873.4, "873"), (9999, "9999"), (12_345, "12.3k"), (1_320_000, "1.32m")]
)
def test_amounts(tokens: float, text: str) -> None:
    assert amount(tokens) == text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "soon", "1d"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--timeout"):
        duration(text)
