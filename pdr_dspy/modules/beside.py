"""What a stage reads beside the problem: earlier turns of a conversation (`dspy.History`), and advice.

DSPy's adapters show earlier turns in the form of the signature that is called. A call that distils has other outputs
than the program, so the turns would read `workspace: None`, and what was answered would be lost. It gets them as text.
The format `plain` shows turns as they were, in every stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dspy

from pdr_dspy.modules.advice import Advice
from pdr_dspy.workflow import Stage


def history_fields(signature: type[dspy.Signature]) -> tuple[str, ...]:
    """Names of the input fields that hold earlier turns."""
    return tuple(name for name, field in signature.input_fields.items() if field.annotation is dspy.History)


def with_text(signature: type[dspy.Signature]) -> type[dspy.Signature]:
    """The signature with text in the place of earlier turns."""
    for name in history_fields(signature):
        signature = signature.with_updated_fields(name, type_=str)
    return signature


def texts(signature: type[dspy.Signature], inputs: Mapping[str, Any]) -> dict[str, str]:
    """The earlier turns among the inputs, as text.

    Args:
        signature: The user's.
        inputs: The problem.
    """
    return {
        name: _text(inputs[name]) for name in history_fields(signature) if isinstance(inputs.get(name), dspy.History)
    }


def shown_to(
    signature: type[dspy.Signature],
    signatures: Mapping[Stage, type[dspy.Signature]],
    inputs: Mapping[str, Any],
    advice: Mapping[str, Advice],
    in_turns: bool,
) -> tuple[dict[Stage, type[dspy.Signature]], dict[Stage, dict[str, Any]]]:
    """The signatures of a run's stages, and what each stage reads beside the problem.

    Args:
        signature: The user's.
        signatures: The stages'.
        inputs: The problem.
        advice: What stages are advised by `dspy.Refine`.
        in_turns: Whether the format shows earlier turns as they were, whatever the signature.
    """
    follow, shown = dict(signatures), dict[Stage, dict[str, Any]]()
    for stage in signatures:
        if stage not in ("draft", "refine") and not in_turns:
            follow[stage], shown[stage] = with_text(follow[stage]), dict(texts(signature, inputs))
        if (told := advice.get(stage)) is not None:
            follow[stage] = told.added(follow[stage])
            shown[stage] = {**shown.get(stage, {}), told.name: told.text}
    return follow, shown


def _text(history: dspy.History) -> str:
    turns = ("\n".join(f"{name}: {value}" for name, value in turn.items()) for turn in history.messages)
    return "\n\n".join(turns)
