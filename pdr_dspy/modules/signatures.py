"""The stages' signatures, derived from the user's.

A user's signature says `inputs -> outputs`. Each stage of a workflow reads the same inputs and adds its own fields:

    draft    inputs                          -> solution, outputs
    refine   inputs, workspace               -> solution, outputs
    distill  inputs, drafts, limit           -> workspace
    pick     inputs, drafts, count           -> picks
    analyse  inputs, draft                   -> analysis

`solution` is the written solution: the paper's S, what later rounds may read. The model's hidden thinking (its R)
never appears in a signature. The user's inputs come first in every stage, so that a server's prefix cache can share
what stands before the stage's own fields. Knows nothing of calls, budgets or endpoints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from typing import Any

import dspy
from dspy.adapters.utils import serialize_for_json

from pdr_dspy.formats.fields import ROLE
from pdr_dspy.workflow import Stage

STAGES: tuple[Stage, ...] = ("draft", "refine", "distill", "pick", "analyse")

OWN_FIELDS = ("solution", "workspace", "drafts", "draft", "limit", "count", "picks", "analysis")
"""The stages' own field names. Where the user's signature has one already, ours gets the prefix `pdr_`."""

_DESCRIPTIONS = {
    "solution": "the written solution, complete enough for a reader who has not seen your thinking",
    "workspace": "notes from earlier drafts; they may be incomplete or wrong",
    "drafts": "independent drafts of a solution; each may be incomplete or wrong",
    "draft": "a draft of a solution; it may be incomplete or wrong",
    "limit": "the most tokens the workspace may have",
    "count": "how many drafts to pick",
    "picks": "the numbers of the best drafts, best first",
    "analysis": "what is wrong or missing in the draft, and what to do about it",
}
_NEW_WORKSPACE = "bounded notes: agreements, contradictions, derived facts, open subgoals, next actions"


def own_field(signature: type[dspy.Signature], name: str) -> str:
    """The name our field `name` has beside the user's fields (`solution`, or `pdr_solution` where that is taken)."""
    taken = set(signature.fields)
    while name in taken:
        name = f"pdr_{name}"
    return name


def stage_instructions(signature: type[dspy.Signature], stage: Stage, instruction: str, as_trained: bool) -> str:
    """What a stage is told: the user's instruction and the stage's.

    Args:
        signature: The user's signature.
        stage: Which stage.
        instruction: The stage's instruction.
        as_trained: Put the stage's instruction below the user's in every stage, as the embedded reasoner learnt it.
    """
    if as_trained:
        return f"{signature.instructions}\n\n{instruction}"
    own = "" if signature.instructions == _generated(signature) else signature.instructions.strip()
    if not own:
        return instruction
    if stage in ("draft", "refine"):
        return f"{own}\n\n{instruction}"
    # "Do not solve" below "Solve the problem" would be two orders that contradict each other.
    return f"The drafts are about this task: {own}\n\n{instruction}"


def _generated(signature: type[dspy.Signature]) -> str:
    """What DSPy says of a signature that has no instruction; it says nothing beyond the fields."""
    sides = (signature.input_fields, signature.output_fields)
    inputs, outputs = (", ".join(f"`{name}`" for name in fields) for fields in sides)
    return f"Given the fields {inputs}, produce the fields {outputs}."


def stage_signature(
    signature: type[dspy.Signature], stage: Stage, instruction: str, as_trained: bool = True
) -> type[dspy.Signature]:
    """The signature of one stage.

    Args:
        signature: The user's signature.
        stage: Which stage.
        instruction: The stage's instruction (a text of the prompt catalogue).
        as_trained: As in `stage_instructions`.
    """
    inputs = {name: (field.annotation, copy(field)) for name, field in signature.input_fields.items()}
    outputs = {name: (field.annotation, copy(field)) for name, field in signature.output_fields.items()}

    def take(name: str, kind: type = str) -> dict[str, Any]:
        return {own_field(signature, name): (kind, _marked(dspy.InputField(desc=_DESCRIPTIONS[name]), name))}

    def give(name: str, kind: Any = str, desc: str | None = None) -> dict[str, Any]:
        field = dspy.OutputField(desc=desc or _DESCRIPTIONS[name])
        return {own_field(signature, name): (kind, _marked(field, name))}

    fields: dict[str, Any]
    match stage:
        case "draft":
            fields = {**inputs, **give("solution"), **outputs}
        case "refine":
            fields = {**inputs, **take("workspace"), **give("solution"), **outputs}
        case "distill":
            fields = {**inputs, **take("drafts"), **take("limit", int), **give("workspace", desc=_NEW_WORKSPACE)}
        case "pick":
            fields = {**inputs, **take("drafts"), **take("count", int), **give("picks", list[int])}
        case "analyse":
            fields = {**inputs, **take("draft"), **give("analysis")}
    name = f"{signature.__name__}{stage.capitalize()}"
    instructions = stage_instructions(signature, stage, instruction, as_trained)
    return dspy.Signature(fields, instructions, signature_name=name)


def _marked(field: Any, role: str) -> Any:
    """A field that says which of our own it is, whatever its name beside the user's."""
    field.json_schema_extra[ROLE] = role
    return field


def render_draft(outputs: Mapping[str, Any], solution: str) -> str:
    """One draft as text: its written solution, then the user's output fields, a `name: value` line each.

    Typed values stand as they are to be written (JSON), not as Python shows them.
    """
    lines = [f"{name}: {shown(value)}" for name, value in outputs.items()]
    return "\n".join([solution.strip(), *lines]).strip()


def shown(value: Any) -> str:
    """A value of an output field as it is to be written: text as it is, anything else as JSON."""
    plain = serialize_for_json(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else str(plain)
