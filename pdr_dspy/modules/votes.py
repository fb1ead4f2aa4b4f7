"""The vote: which of a round's drafts gives the answer that most of them give.

Drafts are taken in the order of their index and each is compared with the first of every group so far, until one is
equal; so the outcome does not depend on the order in which they came, and each draft costs one comparison a group at
most. Equality need not be transitive: it is the first of a group that decides who joins. The answer is given as the
group's drafts spell it most often: `42` rather than the one `42.0` that came first.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import types
import typing
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import dspy

from pdr_dspy.answers import Equal, canonical, equal_answers, graded
from pdr_dspy.errors import WorkflowError
from pdr_dspy.modules.records import Draft
from pdr_dspy.modules.seeds import content, printed

LIMIT = 60.0
"""Seconds for one comparison."""

BESIDE = frozenset(
    {
        "analysis", "certainty", "comment", "comments", "confidence", "explanation", "justification", "logprob",
        "note", "notes", "probability", "rationale", "reason", "reasoning", "reasons", "score", "solution",
        "steps", "thoughts", "work", "working", "workings",
    }
)  # fmt: skip
"""Names of fields that stand beside an answer. They are not voted on where there is another field."""

_LONG = 2000
"""Characters of a text that is no blank in another spelling (`$$`, `**`)."""

_log = logging.getLogger(__name__)
_told: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class Ballot:
    """What is voted on.

    Attributes:
        equal: The fields that are voted on, each with what says when two of its values are the same answer.
    """

    equal: Mapping[str, Equal]


def voted_fields(signature: type[dspy.Signature], vote_on: str | Sequence[str] | None = None) -> tuple[str, ...]:
    """The output fields that a vote goes by.

    Without `vote_on`: the field `answer`, or the only one. Of several others, those that are not free text (`x: int,
    y: int`), or the first, where all are. What stands beside an answer (an explanation, a confidence: `BESIDE`) does
    not count where there is anything else.

    Raises:
        WorkflowError: `vote_on` names no field, or one that the signature does not have.
    """
    outputs = signature.output_fields
    if vote_on is not None:
        named = vote_on if isinstance(vote_on, list | tuple | Set) else [vote_on]
        if not all(isinstance(name, str) for name in named):
            raise WorkflowError("vote_on", "it is no name of a field", f"Use one or several of {', '.join(outputs)}")
        chosen = tuple(dict.fromkeys(named))
        unknown = [name for name in chosen if name not in outputs]
        if unknown or not chosen:
            problem = f"the signature has no output field {', '.join(map(repr, unknown))}" if unknown else "it is empty"
            raise WorkflowError("vote_on", problem, f"Use one or several of {', '.join(outputs)}")
        return chosen
    if "answer" in outputs:
        return ("answer",)
    names = [name for name in outputs if name.casefold() not in BESIDE] or list(outputs)[:1]
    return tuple(name for name in names if not _free_text(outputs[name].annotation)) or tuple(names[:1])


def make_ballot(fields: Sequence[str], equal: Equal | None = None) -> Ballot:
    """The ballot of a run.

    Args:
        fields: The fields that are voted on.
        equal: The user's equality, for each of them. None: that of the data set on which the program is being
            evaluated, for the field it grades, and `equal_answers`.
    """
    if equal is not None:
        return Ballot(dict.fromkeys(fields, equal))
    by = graded()
    theirs = {name: by.equal for name in fields if by.field in (None, name)} if by is not None else {}
    return Ballot({name: theirs.get(name, equal_answers) for name in fields})


async def majority(drafts: Sequence[Draft], ballot: Ballot) -> Draft:
    """The draft that gives the most frequent answer (ties: the one that came up first, in order of index).

    Of the drafts that give it: the first that spells it as most of them do (ties: the shortest spelling, then the one
    that came up first). Drafts without an answer have no vote, unless no draft has one. A comparison that raises, or
    takes too long, counts as unequal, and is logged once.

    Args:
        drafts: At least one.
        ballot: What is voted on.
    """
    ordered = sorted(drafts, key=lambda draft: draft.index)
    voters = [draft for draft in ordered if not _empty(draft, ballot)] or ordered
    return _best_spelt(max(await _grouped(voters, ballot), key=len), ballot)


async def agreement(drafts: Sequence[Draft], ballot: Ballot) -> list[list[Draft]]:
    """The drafts in groups of the same answer, as a vote sees them; those without an answer are in none.

    Args:
        drafts: Any number.
        ballot: What is voted on.
    """
    ordered = sorted(drafts, key=lambda draft: draft.index)
    return await _grouped([draft for draft in ordered if not _empty(draft, ballot)], ballot)


async def _grouped(voters: Sequence[Draft], ballot: Ballot) -> list[list[Draft]]:
    comparison = _Comparison(ballot)
    groups: list[list[Draft]] = []
    known: dict[bytes, list[Draft]] = {}
    for draft in voters:
        same = _spelling(draft, ballot)
        group = known.get(same)
        if group is None:
            group = await _found(draft, groups, comparison)
        if group is None:
            group = []
            groups.append(group)
        known[same] = group
        group.append(draft)
    return groups


async def alike(drafts: Sequence[Draft], accepted: Draft, ballot: Ballot) -> list[bool]:
    """Whether each draft gives the accepted draft's answer.

    Args:
        drafts: Any number.
        accepted: The other side of each comparison.
        ballot: What is compared.
    """
    comparison = _Comparison(ballot)
    known = {_spelling(accepted, ballot): True}
    for draft in drafts:
        same = _spelling(draft, ballot)
        if same not in known:
            known[same] = await comparison.equal(accepted, draft)
    return [known[_spelling(draft, ballot)] for draft in drafts]


def _best_spelt(group: Sequence[Draft], ballot: Ballot) -> Draft:
    spelt = Counter(_spelling(draft, ballot) for draft in group)
    # The first of equals: a group is in order of index.
    return min(group, key=lambda draft: (-spelt[_spelling(draft, ballot)], _length(draft, ballot)))


def _spelling(draft: Draft, ballot: Ballot) -> bytes:
    return content([draft.outputs[name] for name in ballot.equal])


def _length(draft: Draft, ballot: Ballot) -> int:
    values = (draft.outputs[name] for name in ballot.equal)
    return sum(len(value if isinstance(value, str) else printed(value)) for value in values)


async def _found(draft: Draft, groups: Sequence[list[Draft]], comparison: _Comparison) -> list[Draft] | None:
    for group in groups:
        if await comparison.equal(group[0], draft):
            return group
    return None


class _Comparison:
    """Compares the drafts of one vote."""

    def __init__(self, ballot: Ballot) -> None:
        self._ballot = ballot
        self._given_up: set[str] = set()  # fields whose equality has taken too long

    async def equal(self, first: Draft, second: Draft) -> bool:
        """Whether two drafts give the same answer."""
        for name, equal in self._ballot.equal.items():
            if not await self._same(name, equal, first.outputs[name], second.outputs[name]):
                return False
        return True

    async def _same(self, name: str, equal: Equal, first: Any, second: Any) -> bool:
        if name in self._given_up:
            return content(first) == content(second)
        try:
            async with asyncio.timeout(LIMIT):
                return bool(await _asked(equal, first, second))
        except TimeoutError:
            self._given_up.add(name)
            _tell_once(equal, f"took more than {LIMIT:g} seconds")
        except Exception as error:
            _tell_once(equal, f"{type(error).__name__}: {error}")
        return False


async def _asked(equal: Equal, first: Any, second: Any) -> Any:
    if inspect.iscoroutinefunction(equal):
        return await equal(first, second)
    said: Any = await asyncio.to_thread(equal, first, second)  # a user's code may take its time
    return await said if inspect.isawaitable(said) else said


def _tell_once(equal: Equal, why: str) -> None:
    name = getattr(equal, "__qualname__", type(equal).__qualname__)
    kind = why.partition(":")[0]
    if (name, kind) not in _told:
        _told.add((name, kind))
        _log.warning("answers that %s could not compare count as different in votes (%s)", name, why)


def _empty(draft: Draft, ballot: Ballot) -> bool:
    return all(_nothing(draft.outputs[name]) for name in ballot.equal)


def _nothing(value: Any) -> bool:
    # A long text says something, if only that it is long: it is not worth a reading on the loop.
    return value is None or (
        isinstance(value, str) and (not value.strip() if len(value) > _LONG else not canonical(value))
    )


def _free_text(annotation: Any) -> bool:
    """Whether a field holds any text: `str`, or `str | None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return all(part in (str, types.NoneType) for part in typing.get_args(annotation))
    return annotation is str
