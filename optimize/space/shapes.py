"""From choices to a workflow: what a topology's label, a distiller's name, a cap and a kappa mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, cast

from pdr_dspy.errors import InputError
from pdr_dspy.workflow import (
    Analysis,
    Answers,
    Distill,
    Instruction,
    Previous,
    Prompts,
    Random,
    Round,
    Sampling,
    Summary,
    Top,
    Workflow,
)
from pdr_dspy.workflow.plan import ANSWER
from pdr_dspy.workspace import LEAST_PER_ANSWER, LEAST_PER_DRAFT, LEAST_WITH_ANALYSIS

Choice = str | int | float | bool
Params = dict[str, Choice]
Close = Literal["single", "vote", "pick"]

DISTILLERS = ("summary", "top", "top_each", "random", "answers")
CHAIN_DISTILLERS = ("previous", "analysis")
STAGES = ("draft", "refine", "distill", "pick", "analyse")

WHOLE = 0
"""The cap that stands for whatever the budget leaves to a draft (in equal parts, if several follow one another)."""


_LABEL = re.compile(r"([0-9]+(?:-[0-9]+)*)(?:-(vote|pick))?")


def parse_topology(label: str) -> tuple[tuple[int, ...], Close]:
    """Widths and closing step of a label such as `16-4-1`, `8-vote` or `8-pick`.

    Raises:
        InputError: not a label, a width of 0, or several drafts left at the end.
    """
    match = _LABEL.fullmatch(label.strip())
    example = "Write widths like 16-4-1; several drafts at the end need a closing step: 8-vote or 8-pick"
    if match is None:
        raise InputError("topologies", f"{label!r} is not a topology", example)
    widths = tuple(int(w) for w in match[1].split("-"))
    close = cast(Close, match[2] or "single")
    if min(widths) < 1:
        raise InputError("topologies", f"{label!r} has a round of width 0", example)
    if close == "single" and widths[-1] != 1:
        raise InputError("topologies", f"{label!r} leaves {widths[-1]} drafts at the end", example)
    if close != "single" and widths[-1] == 1:
        raise InputError("topologies", f"{label!r} has but one draft to {close}", example)
    return widths, close


Own = Mapping[tuple[str, str], Instruction]
"""Instructions that are no part of the catalogue, by stage and id."""


def build(params: Mapping[str, Choice], *, cap: int, kappa: int, own: Own = MappingProxyType({})) -> Workflow:
    """The workflow of given choices, with drafts of this cap and this workspace; half of a cap at most is answer.

    A prompt's id that is among `own` becomes that text.
    """
    label = str(params["topology"])
    widths, close = parse_topology(label)
    kind = str(params.get("distiller", params.get("chain_distiller", ""))) if len(widths) > 1 else ""
    k = int(params.get("k", 1))
    answer = None if cap == WHOLE else min(ANSWER, cap // 2)
    thinking = None if answer is None else cap - answer

    prompts = {stage: str(params[f"prompt_{stage}"]) for stage in STAGES if f"prompt_{stage}" in params}

    def drawn(width: int, distill: Distill | None = None) -> Round:
        return Round(width=width, distill=distill, thinking=thinking, answer=answer)

    rounds = [
        drawn(width, _distill(kind, width, min(k, width), kappa, following)) for width, following in pairwise(widths)
    ]
    return Workflow(
        name="-".join(filter(None, (label, kind))),
        rounds=(*rounds, drawn(widths[-1])),
        close=close,
        prompts=Prompts.model_validate(
            {
                **{stage: own.get((stage, chosen), chosen) for stage, chosen in prompts.items()},
                "format": params.get("format"),
            }
        ),
        sampling=Sampling(temperature=float(params["temperature"])),
    )


def _distill(kind: str, width: int, k: int, kappa: int, following: int) -> Distill:
    # A workspace too small for what it must hold is made as large as it must be.
    match kind:
        case "summary":
            return Summary(tokens=kappa)
        case "top" | "top_each":
            # A single next draft gets the same pick either way.
            return Top(k=k, shared=kind == "top" or following == 1, tokens=max(kappa, LEAST_PER_DRAFT * k))
        case "random":
            return Random(k=k, tokens=max(kappa, LEAST_PER_DRAFT * k))
        case "answers":
            return Answers(tokens=max(kappa, LEAST_PER_ANSWER * width))
        case "previous":
            return Previous(tokens=kappa)
        case "analysis":
            return Analysis(tokens=max(kappa, LEAST_WITH_ANALYSIS))
        case _:
            raise InputError("distiller", f"{kind!r} is no distiller", f"Use one of {DISTILLERS + CHAIN_DISTILLERS}")
