"""The advice of `dspy.Refine`: a field `hint_` that it adds to each predictor's signature from the second attempt on.

Refine adds it in an adapter of its own, wrapped around the configured one, and only for synchronous calls of the very
signatures that it has seen. A stage's calls are asynchronous, and follow the workflow's format. So the wrapper is asked
here what it would add, and the stage's signature gets that field itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dspy
from dspy.adapters.base import Adapter

_REFINE = "dspy.predict.refine"
_NONE = "N/A"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a predictor is advised.

    Attributes:
        name: The input field's name.
        field: The field.
        text: Its value.
    """

    name: str
    field: Any
    text: str

    def added(self, signature: type[dspy.Signature]) -> type[dspy.Signature]:
        """The signature with the field as its last input."""
        return signature.append(self.name, self.field)


def configured() -> Adapter | None:
    """The adapter that the user has configured, if any; not one that Refine puts around DSPy's default."""
    current: Adapter | None = dspy.settings.adapter
    if current is None or not _is_wrapper(current) or type(current).__mro__[1] is not dspy.ChatAdapter:
        return current
    from dspy.dsp.utils.settings import main_thread_config

    return current if isinstance(main_thread_config.get("adapter"), dspy.ChatAdapter) else None


def advice_for(predictor: dspy.Predict) -> Advice | None:
    """What Refine advises this predictor in the calls made here; None where it has nothing to say."""
    current = dspy.settings.adapter
    if current is None or not _is_wrapper(current):
        return None
    inputs: dict[str, Any] = {}
    try:
        current(None, {}, _Asking(predictor.signature), [], inputs)
    except _Answer as answer:
        text = str(inputs.get(answer.name, _NONE)).strip()
        return None if text in ("", _NONE) else Advice(answer.name, answer.field, text)
    except Exception:
        _log.warning("the advice of dspy.Refine can't be read: a stage runs without it", exc_info=True)
    return None


def advised(predictors: Mapping[Any, dspy.Predict]) -> dict[Any, Advice]:
    """The advice for each of the predictors that has one."""
    found = {name: advice_for(predictor) for name, predictor in predictors.items()}
    return {name: advice for name, advice in found.items() if advice is not None}


def _is_wrapper(adapter: Adapter) -> bool:
    return type(adapter).__module__ == _REFINE


class _Answer(Exception):  # it is no error
    def __init__(self, name: str, field: Any) -> None:
        self.name, self.field = name, field
        super().__init__(name)


class _Asking:
    """Stands for a signature: is found where it is looked up, and takes what is appended to it as the answer."""

    def __init__(self, signature: type[dspy.Signature]) -> None:
        self._signature = signature

    def __hash__(self) -> int:
        return hash(self._signature)

    def __eq__(self, other: object) -> bool:
        return other is self._signature

    def append(self, name: str, field: Any, *_: Any) -> None:
        raise _Answer(name, field)
