"""`--propose`: instructions written by a model join the search, are kept with it, paid once, and win where they help."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import stages
from fakes.vllm import Call, FakeVLLM, Reply
from search_support import Command, Silent, assert_nothing_paid_twice, solve

from pdr_dspy.workflow import load_workflow

SMALL = ("--budget", "tokens=4k", "--problems", "6", "--report-problems", "8", "--front", "2", "--study", "s")
MAGIC = "Write down the number that is to be said"


def asked_for(call: Call) -> str | None:
    """Which field a proposer's call asks for; None for a call of a workflow."""
    first = re.findall(r"starting with the field `\[\[ ## (\w+) ## \]\]`", call.prompt)[-1]
    return first if first in WRITERS else None


WRITERS = {"observations", "summary", "program_description", "module_description", "proposed_instruction", "new_instruction"}


def writing(call: Call) -> Reply:
    """A proposer: each of its texts is new, and its drafts' instructions help."""
    field = asked_for(call)
    assert field is not None
    if field in ("proposed_instruction", "new_instruction"):
        return Reply(text=stages.fields(**{field: f"{MAGIC}.\nAs in version {call.body['seed']}."}))
    return Reply(text=stages.fields(**{field: f"words on the {field}"}))


def solving(call: Call) -> Reply:
    """A model that is right where its instruction says how, else now and then."""
    if stages.stage_of(call) in ("draft", "refine") and MAGIC in call.messages[0]["content"]:
        return Reply(text=stages.fields(solution="short", answer=stages.field(call, "problem").split()[-1]))
    return solve(call)


def both(call: Call) -> Reply:
    return solving(call) if asked_for(call) is None else writing(call)


def arguments(model: FakeVLLM, data: Path, *more: object) -> tuple[object, ...]:
    return (*SMALL, "--endpoint", model.url, "--data", data, *more)


def proposing(model: FakeVLLM) -> list[Call]:
    return [call for call in model.calls if asked_for(call) is not None]


def test_a_proposed_instruction_wins_and_the_winner_runs_elsewhere(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.answer = both
    assert command("search", *arguments(model, data, "--propose", 2, "--trials", 7, "--topologies", "1,4-1")) == 0
    out, err = capsys.readouterr()
    assert "draft=grounded-1: " + MAGIC in err and "distill=reflective-2" in err
    print(out, err)
    for c in proposing(model):
        if asked_for(c) in ("proposed_instruction", "new_instruction"): print("=====", c.messages[0]["content"][-300:], "\n-----\n", c.messages[-1]["content"], {k:v for k,v in c.body.items() if k!="messages"})
