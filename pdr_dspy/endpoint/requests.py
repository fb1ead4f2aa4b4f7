"""What goes over the wire for a request, and the key a completion is stored under.

Pure. The key holds everything that determines the answer (model, weights, messages, sampling, caps, the call's place
in its workflow) and nothing that does not (addresses, API key, time limits, the problem's name).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from dspy.clients.lm15_boundary import request_kwargs
from dspy.lm15 import Request

from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint.preflight import Identity

THINKING_FIELD = "thinking_token_budget"
SCHEMA_FIELD = "response_format"

VLLM_FIELDS = frozenset(
    {
        "add_generation_prompt", "add_special_tokens", "allowed_token_ids", "bad_words", "chat_template",
        "chat_template_kwargs", "continue_final_message", "documents", "guided_choice", "guided_grammar",
        "guided_json", "guided_regex", "ignore_eos", "include_reasoning", "include_stop_str_in_output",
        "length_penalty", "logits_processors", "min_p", "min_tokens", "mm_processor_kwargs", "priority",
        "prompt_logprobs", "reasoning_effort", "repetition_penalty", "return_tokens_as_token_ids",
        "skip_special_tokens", "spaces_between_special_tokens", "stop_token_ids", "structured_outputs",
        THINKING_FIELD, "truncate_prompt_tokens", "use_beam_search", "vllm_xargs",
    }
)  # fmt: skip
"""Request fields of vLLM that DSPy's canonical request has no place for."""

OVERHEAD = 512
"""Tokens a chat template may add to the messages' own bytes (system preambles, tool descriptions)."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a call asks for that DSPy's canonical request can't carry.

    Attributes:
        fields: vLLM's own request fields; they go to the top level of the body.
        rollout: DSPy's rollout id: a repetition of its own for calls outside a workflow.
        drawn: Numbers the candidates of one LM call: DSPy makes `n` of them by asking the same thing n times.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    rollout: int | None = None
    drawn: Iterator[int] = field(default_factory=count, compare=False)


EXTRAS: ContextVar[Extras | None] = ContextVar("pdr_dspy_extras", default=None)
"""The extras of the call being made here; set by the LM, read by its engine."""


def wire_body(request: Request, extras: Extras, identity: Identity) -> dict[str, Any]:
    """The chat completion request as JSON, without the cap on thinking and without the caps' clamping.

    Args:
        request: What DSPy asks.
        extras: What it can't carry.
        identity: The model.
    """
    body: dict[str, Any] = request_kwargs(request, "chat")
    cap = body.pop("max_completion_tokens", None)  # OpenAI's new name; every server knows the old one
    if cap is not None:
        body["max_tokens"] = cap
    if request.config.top_k is not None:  # no place in OpenAI's dialect; vLLM takes it
        body["top_k"] = request.config.top_k
    body.update(extras.fields)
    return {"model": identity.model, **body}


def store_key(body: Mapping[str, Any], identity: Identity, tag: CallTag, extras: Extras, candidate: int = 0) -> str:
    """The key: SHA-256 over canonical JSON of everything that determines the answer.

    Args:
        body: As `wire_body` made it, with the cap that was asked for.
        identity: The model.
        tag: The call's place.
        extras: Its rollout id counts outside a workflow.
        candidate: Which of the `n` candidates of one LM call.
    """
    place: dict[str, Any] = {"stage": tag.stage, "round": tag.round, "index": tag.index, "sample": tag.sample}
    if tag.stage == "other":
        # Calls of a workflow are told apart by their place and seed; others by what DSPy tells them apart by.
        place["rollout"] = extras.rollout
    content: dict[str, Any] = {"revision": identity.revision, "body": body, "place": place}
    if candidate:
        content["candidate"] = candidate
    if identity.context is not None and may_overflow(body, identity.context):
        content["context"] = identity.context  # it may clamp the cap
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def may_overflow(body: Mapping[str, Any], context: int) -> bool:
    """Whether prompt and cap could together be longer than the context, so that counting tokens is worth a request.

    A token is at least a byte, so bytes are an upper bound.
    """
    size = len(prompt_text(body).encode("utf-8", "surrogatepass"))
    return size + OVERHEAD + int(body.get("max_tokens") or 1) > context


def prompt_text(body: Mapping[str, Any]) -> str:
    """Everything in a request that becomes its prompt, as one text that has at least as many tokens."""
    return json.dumps([body[k] for k in ("messages", "tools") if k in body], ensure_ascii=False)


def clamped(asked: int | None, prompt_tokens: int, context: int) -> int | None:
    """The cap that fits beside the prompt: `asked` or what is left; 0 or less where nothing is left."""
    left = context - prompt_tokens
    if asked is None:
        return None if left > 0 else left
    return min(asked, left)
