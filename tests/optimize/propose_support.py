"""A scripted proposer, and a model that solves `say N` where its instruction says how."""

from __future__ import annotations

import re

from fakes import stages
from fakes.vllm import Call, FakeVLLM, Reply
from search_support import solve

MAGIC = "Write down the number that is to be said"

TEXTS = ("proposed_instruction", "new_instruction")
"""Fields that DSPy's proposers put their instructions into."""

_WRITERS = {"observations", "summary", "program_description", "module_description", "shortened_instruction", *TEXTS}


def asked_for(call: Call) -> str | None:
    """Which field a proposer's call asks for; None for a call of a workflow."""
    first = re.findall(r"starting with the field `\[\[ ## (\w+) ## \]\]`", call.prompt)[-1]
    return first if first in _WRITERS else None


def writing(call: Call, text: str = "") -> Reply:
    """A proposer; its instructions are `text`, or all different and to the point."""
    field = asked_for(call)
    assert field is not None
    if field in TEXTS:
        return Reply(text=stages.fields(**{field: text or f"{MAGIC}.\nAs in version {call.body['seed']}."}))
    return Reply(text=stages.fields(**{field: f"words on the {field}"}))


def solving(call: Call) -> Reply:
    """A model that is right where its instruction says how, else now and then."""
    if stages.stage_of(call) in ("draft", "refine") and MAGIC in call.messages[0]["content"]:
        return Reply(text=stages.fields(solution="short", answer=stages.field(call, "problem").split()[-1]))
    return solve(call)


def both(call: Call) -> Reply:
    """The model, which proposes, too."""
    return solving(call) if asked_for(call) is None else writing(call)


def proposing(model: FakeVLLM) -> list[Call]:
    """The calls of proposers."""
    return [call for call in model.calls if asked_for(call) is not None]
