"""A study generates no more than its `--spend`, its report and all its runs included, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command, measured

from optimize.engine.entries import Entry
from optimize.engine.spending import MARGIN, reporting
from optimize.request.spend import parse_spend
from optimize.space.fitting import make_space
from pdr_dspy.budget import parse_budget
from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.endpoint import FileAllowance
from pdr_dspy.errors import InputError

SMALL = ("--budget", "tokens=1k", "--problems", "8", "--report-problems", "8", "--front", "2", "--study", "s")


@pytest.mark.parametrize(("text", "tokens"), [("tokens=50m", 50_000_000), ("tokens=1.5k", 1500)])
def test_limits_as_people_write_them(text: str, tokens: int) -> None:
    assert parse_spend(text) == tokens


@pytest.mark.parametrize("text", ["50m", "total=50m", "tokens=1k,seconds=3", "unlimited", "tokens=0", ""])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--spend"):
        parse_spend(text)


def test_what_the_report_needs_is_kept_back() -> None:
    baselines = make_space(parse_budget("tokens=4k"), 2048).baselines()
    known = measured(0.5, 1.0)
    known = type(known)(**{**known.as_dict(), "metrics": {**known.metrics, "mean_total_generated": 300.0}})
    entries = [Entry("a", baselines["sr"], known), Entry("b", baselines["majority"], None)]
    longest = max(step.caps.total for e in entries for step in e.candidate.plan.steps)
    assert reporting(entries, 10, joining=0) == MARGIN * 10 * 600 + longest
    assert reporting(entries, 10, joining=2) == MARGIN * 10 * 1200 + longest
    assert reporting(entries[1:], 10, joining=2) == entries[1].candidate.plan.steps[0].caps.total
    assert reporting([], 10, joining=2) == 0


def generated(model: FakeVLLM) -> int:
    return sum(call.completion_tokens for call in (*model.calls, *model.probes) if call.status == 200)


@pytest.mark.slow
def test_a_search_ends_in_time_for_its_report_and_its_runs_share_one_limit(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        *SMALL,
        "--endpoint",
        model.url,
        "--data",
        data,
        "--trials",
        60,
        "--jobs",
        1,
        "--topologies",
        "1,1-1-1-1,8-vote,4-1",
    )
    limit = 12_000
    assert command("search", *arguments, "--spend", f"tokens={limit}") == 0
    out, err = capsys.readouterr()
    first = generated(model)
    assert first <= limit
    assert "(spent" in out and "the rest of --spend is for the report" in err
    assert f"all its runs together: {first:,} tokens" in out
    rows = json.loads((tmp_path / "runs" / "s" / "front.json").read_text())["rows"]
    assert {row["report"]["count"] for row in rows} == {8}

    assert command("search", *arguments, "--spend", f"tokens={limit}") == 0
    assert generated(model) <= limit
    assert command("search", *arguments, "--spend", f"tokens={2 * limit}") == 0
    assert first < generated(model) <= 2 * limit
    assert FileAllowance(tmp_path / "runs" / "s" / "spend").spent == generated(model)


def test_a_limit_too_small_for_anything_is_told_and_nothing_is_lost(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*SMALL, "--endpoint", model.url, "--data", data, "--trials", 3)
    assert command("search", *arguments, "--spend", "tokens=100") == REFUSED
    err = capsys.readouterr().err
    assert "spend" in err and "of 100 generated tokens" in err and generated(model) <= 100
    assert command("search", *arguments) == 0
