"""From a configuration's strategies to workflows with every cap filled in, and the distillers' grid. Pure.

A `Job` is one of them on so many problems of one side of a set: what is planned, and what the lab measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from experiments.questions.config import Config
from experiments.questions.parts import Distillers, Level
from pdr_dspy.workflow import Distill, Random, Round, Sampling, Summary, Top, Workflow
from pdr_dspy.workspace import LEAST_PER_DRAFT


@dataclass(frozen=True)
class Job:
    """One thing to measure.

    Attributes:
        set: Name of the problem set.
        side: Which side of it: what choices are made on, or what is reported.
        count: Problems, the first of the side.
        workflow: The strategy, every cap filled in.
        family: What it counts as.
        rule: Name of an admission rule (see `admission`), or "".
        checkpoint: Name of the model that is asked, where there are several.
    """

    set: str
    side: Literal["search", "report"]
    count: int
    workflow: Workflow
    family: str = ""
    rule: str = ""
    checkpoint: str = ""


def filled(workflow: Workflow, level: Level, sampling: Sampling, *, several: bool) -> Workflow:
    """A strategy with the level's caps where a round states none, and the configuration's sampling.

    Args:
        workflow: The strategy; sampling of its own is kept.
        level: Caps of the calls whose round states none.
        sampling: For a strategy that states none.
        several: Whether there are other levels, so that the name must tell.
    """
    end = len(workflow.rounds) - 1
    rounds = tuple(_capped(r, level, last=i == end) for i, r in enumerate(workflow.rounds))
    changed = rounds != workflow.rounds
    name = f"{workflow.name}-{level.name}" if several and changed else workflow.name
    own = "sampling" in workflow.model_fields_set
    return workflow.model_copy(
        update={"name": name, "rounds": rounds, "sampling": workflow.sampling if own else sampling}
    )


def _capped(r: Round, level: Level, *, last: bool) -> Round:
    thinking = level.last_thinking if last and level.last_thinking is not None else level.thinking
    answer = level.last_answer if last and level.last_answer is not None else level.answer
    update = {
        "thinking": thinking if r.thinking is None else r.thinking,
        "answer": answer if r.answer is None else r.answer,
    }
    return r.model_copy(update=update)


def at_levels(config: Config, name: str, workflows: Iterable[Workflow]) -> list[Workflow]:
    """Strategies of a problem set at all its levels; one whose rounds state all caps is there once."""
    levels = config.sets[name].levels
    made: dict[str, Workflow] = {}
    for workflow in workflows:
        for level in levels:
            ready = filled(workflow, level, config.sampling, several=len(levels) > 1)
            made.setdefault(ready.name, ready)
    return list(made.values())


@dataclass(frozen=True)
class Cell:
    """A place in the distillers' table.

    Attributes:
        row: The distiller, with its k and (where there are several) its level.
        kappa: The column.
        kind: The distiller whatever its k: one of the paper's four.
        level: The level's name.
        workflow: What it means.
    """

    row: str
    kappa: int
    kind: str
    level: str
    workflow: Workflow


def cells(config: Config, spec: Distillers) -> list[Cell]:
    """Every cell that can be: where kappa holds the frames of k drafts. A round of fewer drafts passes all of them."""
    made: dict[tuple[str, int], Cell] = {}
    levels = config.sets[spec.set].levels
    for level in levels:
        for kind, k, kappa, distill in _grid(spec):
            row = kind if k is None else f"{kind}-{k}"
            rounds = (*(Round(width=w, distill=_within(distill, w)) for w in spec.widths), Round(width=1))
            workflow = Workflow(name=f"{row.replace(' ', '_')}-{kappa}", rounds=rounds)
            label = f"{row}, {level.name}" if len(levels) > 1 else row
            ready = filled(workflow, level, config.sampling, several=len(levels) > 1)
            made[label, kappa] = Cell(label, kappa, kind, level.name, ready)
    return list(made.values())


SUMMARY = "global summary"


def _grid(spec: Distillers) -> Iterator[tuple[str, int | None, int, Distill]]:
    for kappa in spec.kappa:
        yield SUMMARY, None, kappa, Summary(tokens=kappa)
    for label, kind in (("per-sample top", False), ("shared top", True), ("random", None)):
        for k in spec.k:
            for kappa in spec.kappa:
                if kappa < LEAST_PER_DRAFT * k:
                    continue
                distill: Distill = Random(k=k, tokens=kappa) if kind is None else Top(k=k, shared=kind, tokens=kappa)
                yield label, k, kappa, distill


def _within(distill: Distill, width: int) -> Distill:
    if isinstance(distill, Top | Random):
        return distill.model_copy(update={"k": min(distill.k, width)})
    return distill
