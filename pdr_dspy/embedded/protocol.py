"""The wire: what a request may say. Every field has a type and, where it is a number or a list, a range.

Types are JSON's own: `true` is no number and `"5"` is none either (a whole number may be written `5.0`). Ranges hold
what the engine can take, so that a request which passes is one it can run: whole numbers fit into 32 bits (a seed into
64), and none becomes 0 or infinite in the engine's 32-bit floats.

Unknown fields are ignored, and a field that may be left out may be null, as vLLM does. Fields that vLLM knows and this
server can't honour are refused, not ignored: an answer that silently lacks its logprobs or its JSON schema would be
worse than an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from .api_errors import ApiError

_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "top_logprobs": (None, 0),
    "prompt_logprobs": (None,),
    "tools": (None, []),
    "functions": (None, []),
    "logit_bias": (None, {}),
    "min_tokens": (None, 0),
    "response_format": (None, {"type": "text"}),
    "structured_outputs": (None,),
    "guided_json": (None,),
    "guided_regex": (None,),
    "guided_choice": (None,),
    "guided_grammar": (None,),
    "bad_words": (None, []),
    "allowed_token_ids": (None,),
    "logits_processors": (None, []),
    "length_penalty": (None, 1),
    "echo": (None, False),
    "use_beam_search": (None, False),
    "chat_template": (None,),
    "documents": (None, []),
    "skip_special_tokens": (None, True),
    "truncate_prompt_tokens": (None,),
    "return_tokens_as_token_ids": (None, False),
}

_INT32 = 2**31 - 1
_TINY = 1e-30
_MOST_CHOICES = 1024
_MOST_MESSAGES = 4096
_MOST_STOPS, _LONGEST_STOP = 64, 1024
_MOST_STOP_IDS = 4096


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _texts(value: Any) -> Any:
    return [] if value is None else [value] if isinstance(value, str) else value


def _content(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise ValueError("it is neither a text nor a list of text parts")
    for place, part in enumerate(value):
        text = part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else part
        if not isinstance(text, str):
            raise ValueError(f"part {place} is no text part, and only those are supported")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
TokenId = Annotated[Whole, Field(ge=0, le=_INT32)]
Stop = Annotated[str, Field(min_length=1, max_length=_LONGEST_STOP)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        # Clients send `n: null` for what they leave to the server; only a field that must be there may not be null.
        if not isinstance(given, Mapping):
            return given
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: value for name, value in given.items() if value is not None or name not in optional}


class Message(_Wire):
    """One message; fields a template may read besides are kept."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: Annotated[Any, AfterValidator(_content)] = None


class StreamOptions(_Wire):
    """Options of a streamed response."""

    include_usage: bool = False
    continuous_usage_stats: bool = False


class PromptFields(_Wire):
    """How messages become a prompt."""

    model: str | None = None
    messages: list[Message] = Field(min_length=1, max_length=_MOST_MESSAGES)
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    add_special_tokens: bool = False
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)


class ChatRequest(PromptFields):
    """`POST /v1/chat/completions`. None means: the model's default."""

    n: Whole = Field(default=1, ge=1, le=_MOST_CHOICES)
    temperature: float | None = Field(default=None, ge=0, le=100)
    top_p: float | None = Field(default=None, ge=_TINY, le=1)
    top_k: Whole | None = Field(default=None, ge=-1, le=_INT32)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, ge=1e-3, le=1e3)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: Whole | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    max_tokens: Whole | None = Field(default=None, ge=1, le=_INT32)
    max_completion_tokens: Whole | None = Field(default=None, ge=1, le=_INT32)
    stop: Annotated[list[Stop], BeforeValidator(_texts)] = Field(default_factory=list, max_length=_MOST_STOPS)
    stop_token_ids: list[TokenId] | None = Field(default=None, max_length=_MOST_STOP_IDS)
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    stream: bool = False
    stream_options: StreamOptions | None = None
    thinking_token_budget: Whole | None = Field(default=None, ge=-1, le=_INT32)
    include_reasoning: bool = True
    logprobs: bool | None = None
    return_token_ids: bool | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return tuple(self.stop)


class TokenizeText(_Wire):
    """`POST /tokenize` with a plain prompt."""

    model: str | None = None
    prompt: str
    add_special_tokens: bool = True
    return_token_strs: bool | None = False


class TokenizeChat(PromptFields):
    """`POST /tokenize` with messages."""

    return_token_strs: bool | None = False


class Detokenize(_Wire):
    """`POST /detokenize`."""

    model: str | None = None
    tokens: list[TokenId]


Wire = TypeVar("Wire", bound=_Wire)


def parse(kind: type[Wire], body: Any) -> Wire:
    """Check a request's JSON.

    Raises:
        ApiError: 400 that names the first field that is wrong and, for a number, the range it must be in.
    """
    if not isinstance(body, Mapping):
        raise ApiError(400, "The request body is not a JSON object.")
    for field, harmless in _UNSUPPORTED.items():
        if body.get(field) not in harmless:
            raise ApiError(400, f"{field}: this server does not support it.", field)
    try:
        request = kind.model_validate(body)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        field = str(first["loc"][0])
        raise ApiError(400, f"{place}: {first['msg']}{_range(kind, field)}", field) from None
    if isinstance(request, ChatRequest):
        _check(request)
    return request


def _range(kind: type[_Wire], field: str) -> str:
    """What a number may be, for the error; "" for other fields."""
    ends: dict[str, Any] = {}
    for constraint in kind.model_fields[field].metadata:
        ends.update({end: getattr(constraint, end) for end in ("ge", "le") if hasattr(constraint, end)})
    return f" (it may be from {ends['ge']} to {ends['le']})" if ends else ""


def _check(request: ChatRequest) -> None:
    if request.stream_options is not None and not request.stream:
        raise ApiError(400, "stream_options can only be defined when `stream=True`.", "stream_options")
    for field in ("logprobs", "return_token_ids"):
        if request.stream and getattr(request, field):
            raise ApiError(400, f"{field}: this server gives them only when `stream=False`.", field)
