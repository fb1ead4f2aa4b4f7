"""Pydantic's validation errors in the words of this grammar: where, what is wrong, what to write instead. Pure."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pdr_dspy.errors import WorkflowError
from pdr_dspy.workflow.closing import CLOSE_MAPPING, CLOSE_WORD, Pick
from pdr_dspy.workflow.prompting import CATALOGUE, OWN, Instruction, Prompts
from pdr_dspy.workflow.schema import (
    Analysis,
    Answers,
    Previous,
    Random,
    Round,
    Sampling,
    Summary,
    Top,
    Workflow,
)
from pdr_dspy.workflow.values import RULE

DISTILLERS: Mapping[str, type[BaseModel]] = {
    "summary": Summary,
    "top": Top,
    "random": Random,
    "answers": Answers,
    "previous": Previous,
    "analysis": Analysis,
}
"""The distillers by their `kind`."""

_TYPES = {
    "int_type": ("a whole number", "Write a plain whole number, such as 4, without quotes or a point"),
    "float_type": ("a number", "Write a plain number, such as 0.7, without quotes"),
    "bool_type": ("true or false", "Write true or false, without quotes"),
    "string_type": ("text", "Put it into quotes"),
    "tuple_type": ("a list", "Write it as a list: [...], or a line that begins with `- ` for each entry"),
    "model_type": ("a mapping", "Write it as keys and values: {key: value, ...}"),
    "model_attributes_type": ("a mapping", "Write it as keys and values: {key: value, ...}"),
    "dict_type": ("a mapping", "Write it as keys and values: {key: value, ...}"),
}
_BOUNDS = {
    "greater_than": ("too small", "Write more than {gt}"),
    "greater_than_equal": ("too small", "Write at least {ge}"),
    "less_than": ("too large", "Write less than {lt}"),
    "less_than_equal": ("too large", "Write at most {le}"),
}


class _Shown(reprlib.Repr):
    """Shows the beginning of a value alone: all of it may be without end."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict, self.maxlong = 3, 20, 20, 20, 60

    def repr_int(self, x: int, level: int) -> str:
        """An integer; Python refuses to print one of thousands of digits."""
        return super().repr_int(x, level) if x.bit_length() < 10_000 else "a number of thousands of digits"


_SHOWN = _Shown()
_FEW = 3  # of many things that are wrong alike, so many are named besides the first
_LONGEST = 60  # characters of a key or a value that are shown


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong: the path of keys and indices to it, the problem, and the mend."""

    path: tuple[str | int, ...]
    problem: str
    mend: str


def field(path: Sequence[str | int]) -> str:
    """A path as people write it: `rounds[1].distill.k` ("workflow" for the whole)."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{_short(p)}" for p in path).lstrip(".") or "workflow"


def first_problem(error: ValidationError, whole: str) -> str:
    """The first thing that is wrong with plain data: `rows[1].report.accuracy: Field required`.

    Args:
        error: Pydantic's.
        whole: What the data as a whole is called; "" leaves the place empty.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{field(first['loc'])[:200] if first['loc'] else whole}: {first['msg']}"


def refused(error: ValidationError, model: type[BaseModel]) -> WorkflowError:
    """The error of a value of the grammar that was made in Python, with the first thing that is wrong."""
    first = complaints(error.errors(include_url=False), model)[0]
    return WorkflowError(field(first.path) if first.path else model.__name__, first.problem, first.mend)


def complaints(errors: Sequence[ErrorDetails], root: type[BaseModel] = Workflow) -> list[Complaint]:
    """Pydantic's errors on a `Workflow`, or another model of the grammar, in our words; of alike ones the first, which
    counts the others."""
    alike: dict[tuple[str | int | None, ...], list[ErrorDetails]] = {}
    for error in errors:
        # Pydantic counts only the valid entries of a list: one with nothing but invalid ones is "too short" besides.
        if not (error["type"] == "too_short" and error["input"]):
            alike.setdefault(_kind_of(error, root), []).append(error)
    return [_counted(complaint(first, root), others, root) for first, *others in alike.values()]


def _kind_of(error: ErrorDetails, root: type[BaseModel]) -> tuple[str | int | None, ...]:
    """The same for what is wrong in the same way: unknown keys of one mapping, entries of one list."""
    *place, last = (None if isinstance(part, int) else part for part in _place(error, root) or ("",))
    return (error["type"], *place, None if error["type"] == "extra_forbidden" else last)


def _counted(first: Complaint, others: Sequence[ErrorDetails], root: type[BaseModel]) -> Complaint:
    if not others:
        return first
    shown = ", ".join(field(_place(error, root)) for error in others[:_FEW]) + " and others" * (len(others) > _FEW)
    return replace(first, problem=f"{first.problem}; the same is wrong in {len(others):,} more: {shown}")


def complaint(error: ErrorDetails, root: type[BaseModel] = Workflow) -> Complaint:
    """One of pydantic's errors on a `Workflow`, or another model of the grammar, in our words."""
    path, model = _walk(error["loc"], root)
    kind, shown, context = error["type"], _show(error["input"]), error.get("ctx", {})
    if kind == RULE:
        return Complaint(_place(error, root), context["problem"], context["mend"])
    if kind == "missing":
        return Complaint(path, "it is missing", f"Add {path[-1]}: to it")
    if kind == "extra_forbidden":
        return Complaint(path, "unknown key", _known(str(path[-1]), model))
    if kind in ("union_tag_invalid", "union_tag_not_found") or (model is Round and path[-1] == "distill"):
        return _kind(path, error["input"])
    if kind in _TYPES:
        what, mend = _TYPES[kind]
        return Complaint(path, "it is empty" if error["input"] is None else f"{shown} is not {what}", mend)
    if kind in _BOUNDS:
        problem, mend = _BOUNDS[kind]
        return Complaint(path, f"{shown} is {problem}", mend.format_map(context))
    if kind == "literal_error":
        return Complaint(path, f"{shown} is not one of the choices", f"Write {context['expected']}")
    if kind == "too_long":
        shown = "rounds" if path[-1:] == ("rounds",) else "entries"
        return Complaint(
            path, f"there are {context['actual_length']} {shown}", f"Write at most {context['max_length']}"
        )
    if kind == "string_too_long":
        return Complaint(path, f"{shown} is too long", f"Write at most {context['max_length']} characters")
    if kind in ("too_short", "string_too_short"):
        return Complaint(path, "it is empty", "Write at least one")
    if kind == "string_pattern_mismatch":
        allowed = (
            "letters, digits and . _ - (not dots alone)"
            if path[-1] in ("name", "id")
            else "printable ASCII without spaces"
        )
        return Complaint(path, f"{shown} has other characters than {allowed}", "Leave them out")
    return Complaint(path, f"{shown} can't be used", f"What is asked: {error['msg']}")


def _place(error: ErrorDetails, root: type[BaseModel]) -> tuple[str | int, ...]:
    """The path of what is wrong; a rule says where below its model."""
    return (*_walk(error["loc"], root)[0], *(error["ctx"]["at"] if error["type"] == RULE else ()))


def _walk(loc: Sequence[str | int], root: type[BaseModel]) -> tuple[tuple[str | int, ...], type[BaseModel] | None]:
    """The path without the union tags that pydantic puts in, and the model that the last key belongs to."""
    path: list[str | int] = []
    model: type[BaseModel] | None = root
    inner: type[BaseModel] | None = root
    tag_next = False
    for part in loc:
        if tag_next and part in DISTILLERS:
            inner, tag_next = DISTILLERS[str(part)], False
            continue
        if model is Prompts and part in (CATALOGUE, OWN):
            inner = Instruction
            continue
        if model is Workflow and part in (CLOSE_WORD, CLOSE_MAPPING):
            inner = Pick
            continue
        path.append(part)
        model = inner
        match part:
            case int():
                inner = Round if path[:-1] == ["rounds"] else None
            case "prompts":
                inner = Prompts
            case "sampling":
                inner = Sampling
            case _:
                tag_next = part == "distill" and model is Round
    return tuple(path), model


def _known(key: str, model: type[BaseModel] | None) -> str:
    names = list(model.model_fields) if model is not None else []
    close = get_close_matches(key, names, n=1)
    return f"Write {close[0]}" if close else f"Use one of {', '.join(names)}"


def _kind(path: tuple[str | int, ...], value: Any) -> Complaint:
    kinds = ", ".join(DISTILLERS)
    if not isinstance(value, Mapping):
        known = isinstance(value, str) and value in DISTILLERS
        mend = f"Write {{kind: {value}}}" if known else f"Write {{kind: ...}} with one of {kinds}"
        return Complaint(path, f"{_show(value)} is not a mapping", mend)
    if "kind" in value:
        shown = _show(value["kind"])
        return Complaint((*path, "kind"), f"{shown} is no distiller", f"Use one of {kinds}")
    return Complaint((*path, "kind"), "it is missing", f"Add kind: with one of {kinds}")


def _show(value: Any) -> str:
    if isinstance(value, str | bytes):
        value = value[: _LONGEST + 1]
    return _short(_SHOWN.repr(value) if isinstance(value, int | list | tuple | Mapping | set) else repr(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
