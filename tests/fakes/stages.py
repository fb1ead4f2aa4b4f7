"""A fake model that answers every stage of a workflow in DSPy's chat format, with a text made from its seed."""

from __future__ import annotations

import re

from fakes.vllm import Call


def stage_of(call: Call) -> str:
    """The stage a request belongs to, from the field it is asked to start with."""
    first = re.findall(r"starting with the field `\[\[ ## (\w+) ## \]\]`", call.prompt)[-1]
    if first == "solution":
        return "refine" if "[[ ## workspace ## ]]" in call.messages[-1]["content"] else "draft"
    return {"workspace": "distill", "picks": "pick", "analysis": "analyse"}[first]


def field(call: Call, name: str) -> str:
    """The text of an input field in the request."""
    content = call.messages[-1]["content"]
    return content.split(f"[[ ## {name} ## ]]\n", 1)[1].split("\n\n[[ ##")[0].split("\n\nRespond with")[0]


def fields(**values: object) -> str:
    """A completion in DSPy's chat format."""
    parts = [f"[[ ## {name} ## ]]\n{value}" for name, value in values.items()]
    return "\n\n".join([*parts, "[[ ## completed ## ]]"])


def by_stage(call: Call) -> str:
    """A sensible answer to any stage; drafts differ by seed."""
    seed = call.body.get("seed")
    match stage_of(call):
        case "distill":
            return fields(workspace=f"notes on {field(call, 'drafts').count('<draft id=')} drafts")
        case "pick":
            count = int(field(call, "count"))
            return fields(picks=list(range(1, count + 1)))
        case "analyse":
            return fields(analysis="step two is wrong")
        case stage:
            return fields(solution=f"{stage} {seed}", answer=f"{int(seed or 0) % 3}")
