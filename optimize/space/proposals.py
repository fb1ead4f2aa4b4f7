"""What was proposed for a study: the instructions by stage, who wrote them, and what was refused. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pdr_dspy.workflow import Instruction
from pdr_dspy.workflow.yaml_io import dump_block

Method = Literal["grounded", "reflective"]
"""MIPROv2's proposer (reads the program, the data, and what was right), or GEPA's (reads failures and feedback)."""


@dataclass(frozen=True)
class Refusal:
    """A text that was not taken, or a call that gave none: for which stage, by which proposer, and why."""

    stage: str
    method: Method
    why: str


@dataclass(frozen=True)
class Proposals:
    """The proposals of one study; made once.

    Attributes:
        asked: Instructions wanted for each stage.
        proposer: The model that wrote them.
        instructions: What was taken, by stage; ids such as `grounded-1`, `reflective-2`.
        refused: What was not.
    """

    asked: int
    proposer: str
    instructions: tuple[tuple[str, tuple[Instruction, ...]], ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def count(self) -> int:
        """Instructions in all."""
        return sum(len(own) for _, own in self.instructions)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, to be kept with the study."""
        return {
            "asked": self.asked,
            "proposer": self.proposer,
            "texts": {stage: {own.id: own.text for own in owns} for stage, owns in self.instructions},
            "refused": [[r.stage, r.method, r.why] for r in self.refused],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Proposals:
        """The proposals that `as_dict` made this of."""
        return cls(
            asked=plain["asked"],
            proposer=plain["proposer"],
            instructions=tuple(
                (stage, tuple(Instruction(id=name, text=text) for name, text in texts.items()))
                for stage, texts in plain["texts"].items()
            ),
            refused=tuple(Refusal(*row) for row in plain["refused"]),
        )

    def as_yaml(self) -> str:
        """The texts as a file, by stage and id."""
        head = (
            f"# Written by {self.proposer}. A workflow carries one as\n# prompts: {{STAGE: {{id: ID, text: TEXT}}}}\n"
        )
        texts = {stage: {own.id: own.text for own in owns} for stage, owns in self.instructions if owns}
        return head + dump_block(texts) + "\n"

    def told(self) -> str:
        """The texts and the refusals as lines for a terminal."""
        lines = []
        for stage, owns in self.instructions:
            for own in owns:
                first, *rest = own.text.splitlines()
                lines += [f"  {stage}={own.id}: {first}", *(f"      {line}" for line in rest)]
        lines += [f"  refused for {r.stage} ({r.method}): {r.why}" for r in self.refused]
        return "\n".join(lines)
