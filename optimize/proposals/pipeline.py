"""The program as MIPROv2's proposer reads it: that proposer looks at a module's source and predictors.

What really runs (`pdr_dspy.modules.PDR`) is an engine for any workflow; its source would tell a proposer about caps and
ledgers. This says in a few lines what the stages do for each other; it is there to be read, nobody runs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import dspy

from pdr_dspy.modules.signatures import stage_signature
from pdr_dspy.prompts import REASONER, family, instruction
from pdr_dspy.workflow import Stage


class ParallelDistillRefine(dspy.Module):
    """Drafts in parallel; their contents distilled into a bounded workspace; a new solution written from it."""

    def __init__(self, predictors: Mapping[str, dspy.Predict], width: int = 8, limit: int = 1024) -> None:
        super().__init__()
        self.width, self.limit = width, limit
        for stage, predictor in predictors.items():
            setattr(self, stage, predictor)

    def forward(self, **inputs: Any) -> dspy.Prediction:
        drafts = [self.draft(**inputs) for _ in range(self.width)]
        if not hasattr(self, "refine"):
            return drafts[0]
        text = "\n".join(str(draft) for draft in drafts)
        if hasattr(self, "distill"):
            text = self.distill(**inputs, drafts=text, limit=self.limit).workspace
        return self.refine(**inputs, workspace=text)


def pipeline(
    signature: type[dspy.Signature], stages: tuple[Stage, ...], recommended: str | None
) -> ParallelDistillRefine:
    """The program of these stages over a user's signature, with the instructions that the searched model is asked with
    where a workflow names none.

    Args:
        signature: The user's signature.
        stages: The stages.
        recommended: Which instructions the searched model's card recommends; None: none of its own.
    """
    usual = {stage: family(stage, recommended)[0] for stage in stages}
    return ParallelDistillRefine(
        {
            stage: dspy.Predict(stage_signature(signature, stage, instruction(stage, id), as_trained=id == REASONER))
            for stage, id in usual.items()
        }
    )


def source(program: ParallelDistillRefine) -> str:
    """The program as text: what each stage reads and writes, its instruction, and how they work together."""
    # DSPy's own rendering takes signatures made at run time for one, and shows the first.
    parts = []
    for name, predictor in program.named_predictors():
        signature = predictor.signature
        parts.append(f"{name}: {signature.signature}\n{inspect.cleandoc(signature.instructions)}")
        parts += [f"  {field}: {info.json_schema_extra['desc']}" for field, info in signature.fields.items()]
        parts.append("")
    return "\n".join([*parts, inspect.getsource(type(program))])
