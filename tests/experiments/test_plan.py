"""The plan's tokens, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import SMALL

from experiments.questions import distillers, frontier, oracle, training
from experiments.questions.config import parse_config
from experiments.questions.plan import Cost, cost, describe, expected_meters
from experiments.questions.strategies import Job, at_levels
from pdr_dspy.workflow import Prompts, Round, Summary, Workflow

CONFIG = parse_config(SMALL, "x")


def pdr(width: int) -> Workflow:
    rounds = (Round(width=width, distill=Summary(tokens=32)), Round(width=1))
    (made,) = at_levels(CONFIG, "P", [Workflow(name=f"p{width}", rounds=rounds)])
    return made


def test_a_strategy_costs_what_its_calls_are_expected_to_generate() -> None:
    # Drafts and the last call: 20 of thinking and 10 of answer each; the summary 6. Caps: 80, 32 + 24, 100.
    found = cost([Job("P", "report", 10, pdr(4))], CONFIG)
    assert found == Cost(10 * 6, 10 * (4 * 30 + 6 + 30), 10 * (4 * 80 + 56 + 100))
    meters = expected_meters(pdr(4), CONFIG.sets["P"].usual)
    assert (meters["seq_generated"], meters["total_generated"]) == (66, 156)
    assert (meters["nominal_seq"], meters["nominal_total"]) == (40 + 56 + 40, 4 * 40 + 56 + 40)


def test_a_cap_below_the_usual_length_counts() -> None:
    short = Workflow(name="s", rounds=(Round(width=1, thinking=7, answer=3),))
    assert cost([Job("P", "report", 2, short)], CONFIG).expected == 2 * 10


def test_drafts_that_two_strategies_share_are_counted_once() -> None:
    both = cost([Job("P", "report", 10, pdr(4)), Job("P", "report", 10, pdr(8))], CONFIG)
    assert both.calls == 10 * (8 + 2 + 2)
    more = cost([Job("P", "report", 10, pdr(4)), Job("P", "report", 30, pdr(4))], CONFIG)
    assert more == cost([Job("P", "report", 30, pdr(4))], CONFIG)


def test_another_instruction_is_paid_from_its_stage_on() -> None:
    usual = Job("P", "report", 10, pdr(4))

    def with_prompt(**prompts: str) -> Job:
        return replace(usual, workflow=usual.workflow.model_copy(update={"prompts": Prompts(**prompts)}))

    assert cost([usual, with_prompt(refine="checking")], CONFIG).calls == 10 * (6 + 1)
    assert cost([usual, with_prompt(distill="disagreements")], CONFIG).calls == 10 * (6 + 2)
    assert cost([usual, with_prompt(draft="brief")], CONFIG).calls == 10 * (6 + 6)
    assert cost([usual, with_prompt(analyse="errors_only")], CONFIG).calls == 10 * 6


def test_sides_sets_and_admission_rules_share_what_they_can() -> None:
    job = Job("P", "report", 10, pdr(4))
    assert cost([job, replace(job, side="search")], CONFIG).calls == 2 * 10 * 6
    # Under a rule the first drafts are the same, the summary and what follows are not.
    assert cost([job, replace(job, rule="correct drafts")], CONFIG).calls == 10 * (4 + 2 + 2)


def test_checkpoints_share_nothing() -> None:
    job = Job("P", "report", 10, pdr(4), checkpoint="sft")
    assert cost([job, replace(job, checkpoint="rl")], CONFIG).calls == 2 * cost([job], CONFIG).calls


def test_samples_count() -> None:
    many = parse_config(SMALL.replace("    usual:", "    samples: 16\n    usual:"), "x")
    assert cost([Job("P", "report", 2, pdr(4))], many).calls == 2 * 16 * 6


def test_every_question_says_beforehand_what_it_measures() -> None:
    asked = {m.__name__.rsplit(".", 1)[-1]: m.jobs(CONFIG) for m in (frontier, distillers, oracle, training)}
    assert {name: len(jobs) for name, jobs in asked.items()} == {
        "frontier": 8, "distillers": 16, "oracle": 3, "training": 3
    }  # fmt: skip
    named = {j.workflow.name for j in asked["frontier"] if j.side == "report" and j.count == 8}
    assert named == {"pdr_3", "cot_400"}
    text = describe(CONFIG, list(asked.items()))
    assert "frontier" in text and "all" in text and "Nothing was generated." in text


def test_a_dry_run_needs_no_endpoint(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command("all", "--dry-run") == 0
    assert command("training", "--dry-run", "--config", "aime25") == 0
    out = capsys.readouterr().out
    assert "worksheets:lines=4" in out and "8k 8192+2048" in out
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_tells_every_checkpoint_that_would_be_asked(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    where = ("--before", "sft=nowhere", "--after", "rl=nowhere", "--after", "yet/control")
    assert command("training", "--dry-run", "--config", config, *where) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("training ", "all "))]
    # 4 problems each: a chain; three drafts, their summary and the last call; three drafts of other caps.
    assert [(r[1], r[2], r[4]) for r in rows[:-1]] == [(n, "3", "36") for n in ("sft", "rl", "control")]
    assert rows[-1][:4] == ["all", "9", "36", "108"]
