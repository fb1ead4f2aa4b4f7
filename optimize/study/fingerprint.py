"""What a study was searched for, and the refusal to make another search of it. Knows nothing of what is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.storages import BaseStorage
from pydantic import BaseModel, ConfigDict, ValidationError

from optimize.objectives.criteria import Objectives
from optimize.study.workers import Workers
from pdr_dspy.errors import InputError
from pdr_dspy.workflow.complaints import first_problem

FINGERPRINT = "fingerprint"


class _Proposals(BaseModel):
    model_config = ConfigDict(strict=True)
    texts: dict[str, dict[str, str]]
    proposer: str


class _Space(BaseModel):
    model_config = ConfigDict(strict=True)
    format: list[str] = []
    proposals: _Proposals | None = None


class _Data(BaseModel):
    model_config = ConfigDict(strict=True)
    split: int = 1
    grader: str | None = None


class _Described(BaseModel):
    model_config = ConfigDict(strict=True)
    objectives: list[str] = []
    latency: str = ""
    space: _Space = _Space()
    data: _Data = _Data()


def described(attrs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a study says that it is a search for; the fields that are read are what they have to be.

    Args:
        attrs: The study's user attributes, this one among them.
        name: The study's name.

    Raises:
        InputError: the storage was edited, so that nobody can say what the study is for; names the field.
    """
    plain: dict[str, Any] = attrs[FINGERPRINT]
    try:
        _Described.model_validate(plain)
    except ValidationError as error:
        said = first_problem(error, "all of it")
        problem = f"what {name!r} says that it is a search for can't be read ({said})"
        raise InputError(
            "study", problem, "Restore the storage, or give the search another name with --study"
        ) from None
    return plain


def changes(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two fingerprints, in words, one entry a field."""
    found = []
    for name in dict.fromkeys((*stored, *now)):
        old, new = stored.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{name}.{inner}" for inner in changes(old, new)]
        else:
            found.append(f"{name} was {_short(old)}, now {_short(new)}")
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True)
class StoredStudy:
    """What a study holds to where the command line leaves it open.

    Attributes:
        rule: How its problems were cut in two (`pdr_dspy.data.split`).
        grader: The name of its grader; None where that is not known.
    """

    rule: int
    grader: str | None


def stored_study(storage: BaseStorage, name: str) -> StoredStudy | None:
    """What the study of this name holds to; None where there is no such study yet."""
    try:
        attrs = storage.get_study_user_attrs(storage.get_study_id_from_name(name))
    except KeyError:
        return None
    if attrs.get(FINGERPRINT) is None:
        return None
    data = described(attrs, name).get("data", {})
    # Studies made before there was another rule don't name theirs; in their days nothing was guessed.
    rule = int(data.get("split", 1))
    return StoredStudy(rule, data.get("grader", "math" if rule == 1 else None))


def agree(workers: Workers, name: str, now: Mapping[str, Any]) -> None:
    """Refuse what another worker, who came at the same instant, began as something else.

    Raises:
        InputError: one was faster, with something else.
    """
    _compare(name, workers.settle(FINGERPRINT, now), now)


def check_fingerprint(storage: BaseStorage, name: str, now: Mapping[str, Any]) -> None:
    """Refuse a study of this name that is there already, if it was a search for something else.

    Raises:
        InputError: it was, or was made by others.
    """
    try:
        study = storage.get_study_id_from_name(name)
    except KeyError:
        return
    # In this order: a worker that starts at the same instant describes the study before it has a trial.
    begun = storage.get_n_trials(study) > 0
    attrs = storage.get_study_user_attrs(study)
    if attrs.get(FINGERPRINT) is None:
        if not begun:
            return  # killed, or not yet come, between making the study and describing it
        raise InputError("study", f"{name!r} was not made by this search", "Give another name with --study")
    _compare(name, described(attrs, name), now)


def _compare(name: str, stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    # A study made before objectives could be chosen has the usual ones; not each of them names its grader.
    known = {"objectives": list(Objectives().names), **stored}
    if found := changes(known, _named_alike(stored, now)):
        raise InputError(
            "study",
            f"{name!r} was a search for something else: " + "; ".join([*found, *_contents(stored, now)]),
            "Give the new search another name with --study, or go back to what it was",
        )


def _named_alike(stored: Mapping[str, Any], now: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fingerprint of now, without a grader's name where the stored one has none."""
    old, new = stored.get("data"), now.get("data")
    if not isinstance(old, dict) or not isinstance(new, dict) or "grader" in old:
        return now
    return {**now, "data": {key: value for key, value in new.items() if key != "grader"}}


def _contents(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What a hash of the problems and their grader does not say itself."""
    old, new = stored.get("data"), now.get("data")
    if not isinstance(old, dict) or not isinstance(new, dict) or old.get("contents") == new.get("contents"):
        return []
    if "grader" not in old:
        return ["the contents are the problems, their answers and how they are graded: the file differs, or the grader"]
    if old["grader"] == new.get("grader"):
        return ["the grader is the same: the file's problems or answers differ, or which of its columns are read"]
    return ["the grader is another one, or the file differs as well"]
