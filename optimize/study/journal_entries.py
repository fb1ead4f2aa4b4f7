"""The entries of Optuna's journal, checked before Optuna reads them: it takes whatever stands there for what it wrote.

Knows Optuna's format, and no file.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from optuna.distributions import json_to_distribution
from optuna.storages.journal._storage import JournalOperation
from optuna.study import StudyDirection
from optuna.trial import TrialState
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pdr_dspy.workflow.complaints import first_problem


def _time(value: str) -> str:
    datetime.fromisoformat(value).astimezone()
    return value


def _alone(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) != 1:
        raise ValueError("it names more than one value, or none")
    return value


def _distribution(value: str) -> str:
    try:
        json_to_distribution(value)
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"it is no distribution ({type(error).__name__})") from None
    return value


_Time = Annotated[str, AfterValidator(_time)]
_One = Annotated[dict[str, Any], AfterValidator(_alone)]
_Distribution = Annotated[str, AfterValidator(_distribution)]
_Id = Annotated[int, Field(ge=0, le=2**63)]
_State = Annotated[int, Field(ge=0, le=max(TrialState))]
_Direction = Annotated[int, Field(ge=0, le=max(StudyDirection))]


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True)
    worker_id: str


class _Study(_Entry):
    study_name: str
    directions: list[_Direction]


class _OfStudy(_Entry):
    study_id: _Id


class _StudyUser(_OfStudy):
    user_attr: _One


class _StudySystem(_OfStudy):
    system_attr: _One


class _Trial(_OfStudy):
    datetime_start: _Time | None
    datetime_complete: _Time = ""
    state: _State = 0
    value: float | None = None
    values: list[float] | None = None
    distributions: dict[str, _Distribution] = {}
    params: dict[str, float] = {}
    user_attrs: dict[str, Any] = {}
    system_attrs: dict[str, Any] = {}
    intermediate_values: dict[Annotated[str, Field(pattern=r"^-?[0-9]{1,18}$")], float] = {}


class _OfTrial(_Entry):
    trial_id: _Id


class _Param(_OfTrial):
    param_name: str
    param_value_internal: float
    distribution: _Distribution


class _Values(_OfTrial):
    state: _State
    values: list[float] | None
    datetime_start: _Time | None = None
    datetime_complete: _Time | None = None


class _Intermediate(_OfTrial):
    step: int
    intermediate_value: float


class _TrialUser(_OfTrial):
    user_attr: _One


class _TrialSystem(_OfTrial):
    system_attr: _One


_KINDS: dict[int, type[_Entry]] = {
    JournalOperation.CREATE_STUDY: _Study,
    JournalOperation.DELETE_STUDY: _OfStudy,
    JournalOperation.SET_STUDY_USER_ATTR: _StudyUser,
    JournalOperation.SET_STUDY_SYSTEM_ATTR: _StudySystem,
    JournalOperation.CREATE_TRIAL: _Trial,
    JournalOperation.SET_TRIAL_PARAM: _Param,
    JournalOperation.SET_TRIAL_STATE_VALUES: _Values,
    JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE: _Intermediate,
    JournalOperation.SET_TRIAL_USER_ATTR: _TrialUser,
    JournalOperation.SET_TRIAL_SYSTEM_ATTR: _TrialSystem,
}
_DISCARD = 10  # `DISCARD_TRIALS`, of another implementation; Optuna passes over it


def why_not(entry: dict[str, Any]) -> str:
    """Why Optuna can't read an entry; "" where it can."""
    operation = entry.get("op_code")
    if isinstance(operation, bool) or not isinstance(operation, int):
        return f"op_code: {operation!r:.40} is none of Optuna's"
    if operation == _DISCARD:
        return ""
    if (kind := _KINDS.get(operation)) is None:
        return f"op_code: {operation} is none of Optuna's"
    try:
        found = kind.model_validate(entry)
    except ValidationError as error:
        return first_problem(error, "all of it")
    except (RecursionError, OverflowError):
        return "it is nested too deeply, or a number is too large"
    return _unlike(found)


def _unlike(found: Any) -> str:
    """What is wrong with fields that are right each by itself."""
    if isinstance(found, _Values):
        state = TrialState(found.state)
        if state == TrialState.RUNNING and found.datetime_start is None:
            return "datetime_start: Field required"
        if state.is_finished() and found.datetime_complete is None:
            return "datetime_complete: Field required"
    if isinstance(found, _Trial):
        if found.value is not None and found.values is not None:
            return "value: there are values, too"
        for name, value in found.params.items():
            if name not in found.distributions:
                return f"params.{name}: it has no distribution"
            if why := _no_choice(found.distributions[name], value):
                return f"params.{name}: {why}"
    if isinstance(found, _Param) and (why := _no_choice(found.distribution, found.param_value_internal)):
        return f"param_value_internal: {why}"
    return ""


def _no_choice(distribution: str, value: float) -> str:
    try:
        json_to_distribution(distribution).to_external_repr(value)
    except (IndexError, ValueError, OverflowError):
        return "it is no value of its distribution"
    return ""
