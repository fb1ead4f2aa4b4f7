"""The library's own prompts as templates: every fixed text of the rendered messages, cut at the places that vary.

The texts come from rendering the real stage signatures with the real adapter, so they cannot drift from what the
library sends. `Prompts.render` is a fast equivalent of the adapter's `format`; `check` compares the two.
"""

from __future__ import annotations

import dspy

import pdr_dspy  # noqa: F401  (settings that must precede other imports)
from pdr_dspy.data.worksheets import Worksheet
from pdr_dspy.messages import formatted
from pdr_dspy.modules.signatures import STAGES, stage_signature
from pdr_dspy.prompts import REASONER, catalogue, family
from pdr_dspy.workflow import Stage

STAGE_INPUTS: dict[Stage, tuple[str, ...]] = {
    "draft": (),
    "refine": ("workspace",),
    "distill": ("drafts", "limit"),
    "pick": ("drafts", "count"),
    "analyse": ("draft",),
}
INDENT = "\n        "
OBJECTIVE = Worksheet.instructions


def adapter_messages(stage: Stage, instruction: str, inputs: dict[str, object], objective: str) -> list[dict[str, str]]:
    """The messages the library sends."""
    signature = stage_signature(Worksheet.with_instructions(objective), stage, instruction)
    messages = formatted(dspy.ChatAdapter(use_json_adapter_fallback=False), signature, [], inputs)
    return [{"role": str(message["role"]), "content": str(message["content"])} for message in messages]


def trained(stage: Stage) -> dict[str, str]:
    """The instructions that the reasoner learns, by style (`default`, `brief`, ...)."""
    texts = {key: catalogue(stage)[key].strip() for key in family(stage, REASONER)}
    return {key.removeprefix(REASONER).removeprefix("-") or "default": text for key, text in texts.items()}


class Prompts:
    """Templates of every stage, and the fixed texts worth a token of their own."""

    def __init__(self) -> None:
        self.heads: dict[Stage, str] = {}
        self.pieces: dict[Stage, list[str]] = {}
        self.instructions = {stage: trained(stage) for stage in STAGES}
        for stage in STAGES:
            names = ("problem", *STAGE_INPUTS[stage])
            marks = {name: f"@{name}@" for name in names}
            system, user = adapter_messages(stage, "@i@", dict(marks), "@o@")
            head, _, tail = system["content"].partition("@o@")
            if tail != f"{INDENT}{INDENT}@i@":
                raise ValueError(f"the adapter's layout changed: {tail!r}")
            pieces, rest = [], user["content"]
            for name in names:
                before, _, rest = rest.partition(marks[name])
                pieces.append(before)
            self.heads[stage] = head
            self.pieces[stage] = [*pieces, rest]

    def render(self, stage: Stage, instruction: str, inputs: list[str], objective: str = OBJECTIVE) -> tuple[str, str]:
        """The system and the user message; `inputs` in the order problem, then the stage's own fields."""
        lines = f"{objective}\n\n{instruction}".splitlines()
        system = self.heads[stage] + INDENT.join(lines)
        pieces = self.pieces[stage]
        user = "".join(piece + value for piece, value in zip(pieces, inputs, strict=False)) + pieces[-1]
        return system, user

    def fixed_texts(self) -> list[str]:
        """Every text that gets a token of its own."""
        found = [OBJECTIVE, f"{INDENT}{INDENT}"]
        for stage in STAGES:
            found += [self.heads[stage], *self.pieces[stage], *self.instructions[stage].values()]
        return list(dict.fromkeys(found))

    def check(self) -> None:
        """Compares `render` with the adapter.

        Raises:
            ValueError: they differ.
        """
        for stage in STAGES:
            values = ["A: make 41 from 13, 7, 4\nB: make 14 from 5, 2, 4", "12", "34"][: 1 + len(STAGE_INPUTS[stage])]
            inputs = dict(zip(("problem", *STAGE_INPUTS[stage]), values, strict=True))
            for text in (*self.instructions[stage].values(), "Two\nlines."):
                messages = adapter_messages(stage, text, dict(inputs), OBJECTIVE)
                if tuple(m["content"] for m in messages) != self.render(stage, text, values):
                    raise ValueError(f"the template of {stage} differs from the adapter's messages")


def marker(field: str) -> str:
    """The line that opens an output field."""
    return f"[[ ## {field} ## ]]\n"


COMPLETED = "\n\n[[ ## completed ## ]]"
