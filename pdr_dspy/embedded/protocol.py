"""The wire: what a chat request may say, and errors as vLLM words them.

Unknown fields are ignored, as vLLM does. Fields that vLLM knows and this server can't honour are refused, not ignored:
an answer that silently lacks its logprobs or its JSON schema would be worse than an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    "echo": (None, False),
    "use_beam_search": (None, False),
}


class ApiError(Exception):
    """An answer other than 200, as the OpenAI API words it."""

    def __init__(self, status: int, message: str, param: str | None = None, kind: str = "BadRequestError") -> None:
        self.status = status
        self.message = message
        self.param = param
        self.kind = kind
        super().__init__(message)

    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.status}}


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Message(_Wire):
    """One message; fields a template may read besides are kept."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[Any] | None = None


class StreamOptions(_Wire):
    """Options of a streamed response."""

    include_usage: bool = False
    continuous_usage_stats: bool = False


class PromptFields(_Wire):
    """How messages become a prompt."""

    model: str | None = None
    messages: list[Message] = Field(min_length=1)
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    add_special_tokens: bool = False
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)


class ChatRequest(PromptFields):
    """`POST /v1/chat/completions`. None means: the model's default."""

    n: int = Field(default=1, ge=1, le=1024)
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = None
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    stream: bool = False
    stream_options: StreamOptions | None = None
    thinking_token_budget: int | None = Field(default=None, ge=-1)
    include_reasoning: bool = True
    logprobs: bool | None = None
    return_token_ids: bool | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())


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
    tokens: list[int]


Wire = TypeVar("Wire", bound=_Wire)


def parse(kind: type[Wire], body: Any) -> Wire:
    """Check a request's JSON.

    Raises:
        ApiError: 400 that names the first field that is wrong.
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
        raise ApiError(400, f"{place}: {first['msg']}", str(first["loc"][0]) if first["loc"] else None) from None
    if isinstance(request, ChatRequest):
        _check(request)
    return request


def _check(request: ChatRequest) -> None:
    if any(not stop for stop in request.stops):
        raise ApiError(400, "stop cannot contain an empty string.", "stop")
    if request.stream_options is not None and not request.stream:
        raise ApiError(400, "stream_options can only be defined when `stream=True`.", "stream_options")
    for field in ("logprobs", "return_token_ids"):
        if request.stream and getattr(request, field):
            raise ApiError(400, f"{field}: this server gives them only when `stream=False`.", field)


def context_overflow(context: int, prompt_tokens: int, asked: int) -> ApiError:
    """The 400 for a request longer than the model's context, in vLLM's words (clients parse them)."""
    return ApiError(
        400,
        f"This model's maximum context length is {context} tokens. However, you requested {asked} output tokens and "
        f"your prompt contains at least {prompt_tokens} input tokens, for a total of at least "
        f"{prompt_tokens + asked} tokens. Please reduce the length of the input prompt or the number of requested "
        f"output tokens. (parameter=input_tokens, value={prompt_tokens})",
        "input_tokens",
    )


def unknown_model(name: str) -> ApiError:
    """The 404 for a model that is not served here."""
    return ApiError(404, f"The model `{name}` does not exist.", "model", "NotFoundError")
