"""From a run's record to what there is to see of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from pydantic_core import to_jsonable_python

from pdr_dspy import bridge
from pdr_dspy.answers import equal_answers
from pdr_dspy.characters import whole, whole_json
from pdr_dspy.ledger import PROBE, REFUSED, CallRecord
from pdr_dspy.modules.named_calls import call_name
from pdr_dspy.modules.records import Draft, FailedCall, RoundRecord, RunRecord
from pdr_dspy.modules.votes import Ballot, agreement
from pdr_dspy.run_view.data import CallData, DraftData, FailedData, RoundData, RunData, StageData, WorkspaceData
from pdr_dspy.workflow import Plan, plain_workflow, topology

_DEEPEST = 50
"""Levels of an output that are shown; what lies deeper is shown as a text."""


def run_data(record: RunRecord) -> RunData:
    """What there is to see of a run.

    Args:
        record: The run. Which drafts agree is found out here, by the equality of its votes.
    """
    equality, groups = _agreements(record)
    calls = _calls(record)
    return RunData(
        workflow=plain_workflow(record.plan.workflow),
        topology=topology(record.plan.workflow),
        budget=str(record.budget),
        vote_on=tuple(record.voted),
        equality=equality,
        rounds=tuple(
            _round(number, each, found, record)
            for number, (each, found) in enumerate(zip(record.rounds, groups, strict=True))
        ),
        failed=tuple(map(_failed, record.failed)),
        calls=calls,
        stages=_stages(record.records),
        meters=record.meters,
    )


def plain(value: Any) -> Any:
    """A value as JSON has it: models, enums, sets and the like in their plain form, others as a text."""
    try:
        found = to_jsonable_python(
            value, fallback=str, inf_nan_mode="strings", bytes_mode="base64", serialize_unknown=True
        )
    except Exception:  # a user's model may raise anything, and may hold itself
        return whole(_text(value))
    return whole_json(_finite(found, _DEEPEST))


def _finite(value: Any, levels: int) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if not levels:
        return _text(value)
    if isinstance(value, Mapping):
        return {str(name): _finite(each, levels - 1) for name, each in value.items()}
    return [_finite(each, levels - 1) for each in value]


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"a {type(value).__name__}"


def _agreements(record: RunRecord) -> tuple[str, list[list[list[Draft]]]]:
    """Whose equality says which drafts of each round agree, and which do."""
    if not record.voted:
        return "spelling", [[] for _ in record.rounds]
    ballot = Ballot({name: equal or equal_answers for name, equal in record.voted.items()})

    async def all_rounds(by: Ballot) -> list[list[list[Draft]]]:
        return [await agreement(each.drafts, by) for each in record.rounds]

    if bridge.is_here():  # it can't be waited for
        return "spelling", [_spelt(each.drafts, tuple(record.voted)) for each in record.rounds]
    given = any(equal is not None and equal is not equal_answers for equal in record.voted.values())
    return "given" if given else "default", bridge.run(all_rounds(ballot))


def _spelt(drafts: Sequence[Draft], fields: Sequence[str]) -> list[list[Draft]]:
    groups: dict[str, list[Draft]] = {}
    for draft in sorted(drafts, key=lambda draft: draft.index):
        groups.setdefault(repr([plain(draft.outputs[name]) for name in fields]), []).append(draft)
    return list(groups.values())


def _round(number: int, this: RoundRecord, groups: Sequence[Sequence[Draft]], record: RunRecord) -> RoundData:
    declared = record.plan.workflow.rounds
    group_of = {id(draft): n for n, group in enumerate(groups, start=1) for draft in group}
    before = declared[number - 1].distill if number else None
    return RoundData(
        width=declared[number].width,
        distill=None if (distill := declared[number].distill) is None else distill.kind,
        workspaces=_workspaces(this, None if before is None else before.tokens) if number else (),
        drafts=tuple(
            DraftData(
                index=draft.index,
                outputs={name: plain(value) for name, value in draft.outputs.items()},
                solution=whole(draft.solution),
                read=draft.read,
                cut=draft.cut,
                group=group_of.get(id(draft)),
                accepted=draft is record.accepted,
            )
            for draft in sorted(this.drafts, key=lambda draft: draft.index)
        ),
        failed=tuple(map(_failed, this.failed)),
    )


def _workspaces(this: RoundRecord, kappa: int | None) -> tuple[WorkspaceData, ...]:
    # A round's workspaces stand in the order of its branches, those whose draft failed among them.
    readers = sorted({draft.index for draft in this.drafts} | {failed.index for failed in this.failed})
    sizes = this.tokens or (None,) * len(this.workspaces)
    found: dict[str, tuple[int | None, list[int]]] = {}
    for index, text, tokens in zip(readers, this.workspaces, sizes, strict=False):
        found.setdefault(text, (tokens, []))[1].append(index)
    return tuple(
        WorkspaceData(text=whole(text), tokens=tokens, kappa=kappa, readers=tuple(indices))
        for text, (tokens, indices) in found.items()
    )


def _failed(failed: FailedCall) -> FailedData:
    return FailedData(
        stage=failed.stage,
        index=failed.index,
        kind=failed.kind,
        detail=whole(failed.detail),
        text=whole(failed.text),
        fallback=failed.fallback,
    )


def _calls(record: RunRecord) -> tuple[CallData, ...]:
    rows = sorted(record.records, key=lambda row: row.call)
    grouped = [sorted(attempts, key=lambda row: (row.attempt, row.part)) for _, attempts in groupby(rows, _call)]
    first = min((row.started for row in rows), default=0.0)
    grouped.sort(key=lambda attempts: (attempts[0].started, attempts[0].step, attempts[0].index))
    return tuple(_one_call(attempts, first, record.plan) for attempts in grouped)


def _one_call(attempts: Sequence[CallRecord], first: float, plan: Plan) -> CallData:
    head, last = attempts[0], attempts[-1]
    ended = max(row.started + row.seconds for row in attempts)
    thinking = [row.thinking_tokens for row in attempts if row.thinking_tokens is not None]
    return CallData(
        name=_name(head, plan),
        stage=head.stage,
        round=head.round,
        index=head.index,
        started=max(0.0, head.started - first),
        # Of a replayed call it is the original's.
        seconds=sum(row.seconds for row in attempts) if head.replayed else max(0.0, ended - head.started),
        attempts=len(attempts),
        outcome=last.outcome,
        prompt_tokens=sum(row.prompt_tokens for row in attempts),
        completion_tokens=sum(row.completion_tokens for row in attempts),
        thinking_tokens=sum(thinking) if thinking else None,
        cap=head.requested_tokens,
        replayed=head.replayed,
        detail=whole(last.detail),
    )


def _name(head: CallRecord, plan: Plan) -> str:
    """A call's name; a second call in the place of a helper's has a step of its own behind the plan's."""
    steps = plan.steps
    if head.stage == PROBE or not 0 <= head.step < 2 * len(steps):
        return head.stage
    return call_name(plan.workflow, steps[head.step % len(steps)], head.index) + " (again)" * (head.step >= len(steps))


def _stages(records: Iterable[CallRecord]) -> tuple[StageData, ...]:
    by_stage: dict[str, list[CallRecord]] = {}
    for row in sorted(records, key=lambda row: row.started):
        by_stage.setdefault(row.stage, []).append(row)
    return tuple(_stage(stage, rows) for stage, rows in by_stage.items())


def _stage(stage: str, rows: Sequence[CallRecord]) -> StageData:
    seconds: dict[str, float] = {}
    for row in rows:
        seconds[row.call] = seconds.get(row.call, 0.0) + row.seconds
    return StageData(
        stage=stage,
        calls=len(seconds),
        attempts=len(rows),
        failures=sum(row.outcome not in ("ok", REFUSED) for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        thinking_tokens=sum(row.thinking_tokens or 0 for row in rows),
        seconds=sum(seconds.values()),
        longest=max(seconds.values(), default=0.0),
    )


def _call(row: CallRecord) -> str:
    return row.call
