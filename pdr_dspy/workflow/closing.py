"""How a workflow's last round closes: `single`, `vote`, `pick`, or a pick that thinks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from pdr_dspy.workflow.thinking import HelperThinking
from pdr_dspy.workflow.values import TOKENS, Frozen


class Pick(Frozen):
    """The closing pick with its own thinking; without, write `close: pick`."""

    kind: Literal["pick"] = Field(description="a call picks one draft of the last round")
    thinking: HelperThinking = Field(
        default=None, description="tokens the call may think before it picks, or off", json_schema_extra=TOKENS
    )


CLOSE_WORD, CLOSE_MAPPING = "close word", "close mapping"
"""Tags of the two forms, as they stand in pydantic's error paths."""


def _close(value: Any) -> Any:
    # One way to say it, so that equal workflows are equal.
    return value.kind if isinstance(value, Pick) and value.thinking is None else value


def _close_form(value: Any) -> str:
    return CLOSE_MAPPING if isinstance(value, Mapping | Pick) else CLOSE_WORD


Closing = Literal["single", "vote", "pick"]
Close = Annotated[
    Annotated[Annotated[Closing, Tag(CLOSE_WORD)] | Annotated[Pick, Tag(CLOSE_MAPPING)], Discriminator(_close_form)],
    AfterValidator(_close),
]
"""How the last round closes: a word, or `{kind: pick, thinking: 512}`."""
