"""How many tokens the prompt of a call has, as far as it can be told before it is sent.

Text is counted. Of an image or a recording nobody here can say what the served model makes of it, so each counts as a
fixed number of tokens; what it is sent as (base64, far longer than what the model reads) never counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import dspy

from pdr_dspy.formats import DEFAULT, adapter
from pdr_dspy.messages import formatted

PER_MESSAGE = 16
"""Tokens a chat template puts around a message, which are not seen here; covers the templates we know."""

PER_MEDIUM = 1_500
"""Tokens that an image, a recording or a file counts as: above what common models make of an image of a megapixel
(about 1,300) or of a minute of speech. A model that reads larger ones whole may need more; the server then says so."""

_MEDIA = frozenset(
    {"image", "image_url", "input_image", "audio", "audio_url", "input_audio", "video_url", "file", "input_file"}
)


def prompt_size(
    predictor: dspy.Predict,
    signature: type[dspy.Signature],
    inputs: Mapping[str, Any],
    count: Callable[[str], int],
) -> int:
    """Tokens of the messages that a call sends, demos included.

    Args:
        predictor: The stage's predictor; its demos are read.
        signature: The signature it is to follow.
        inputs: The call's input fields.
        count: Tokens of a text.
    """
    chosen = dspy.settings.adapter or adapter(DEFAULT)
    messages = formatted(chosen, signature, predictor.demos, inputs)
    return sum(content_size(message["content"], count) + PER_MESSAGE for message in messages)


def content_size(content: Any, count: Callable[[str], int]) -> int:
    """Tokens of a message's content: a text, or a list of parts in the form of OpenAI's API.

    Args:
        content: As it is sent.
        count: Tokens of a text.
    """
    if not isinstance(content, list):
        return count(str(content))
    return sum(_part_size(part, count) for part in content)


def _part_size(part: Any, count: Callable[[str], int]) -> int:
    if not isinstance(part, Mapping):
        return count(str(part))
    if part.get("type") in _MEDIA:
        return PER_MEDIUM
    if isinstance(text := part.get("text"), str):
        return count(text)
    return count(json.dumps(part, ensure_ascii=False, default=str))
