"""Answers other than 200, in the shape and the words of OpenAI's and vLLM's servers."""

from __future__ import annotations

from typing import Any

_SHOWN = 200  # characters of what a client wrote that go back to it


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
    return ApiError(404, f"The model `{name[:_SHOWN]}` does not exist.", "model", "NotFoundError")


def internal(detail: str) -> ApiError:
    """The 500 for a request that the server or its engine failed on."""
    return ApiError(500, detail, kind="InternalServerError")


def of_status(status: int, detail: str) -> ApiError:
    """An error of the routing (404, 405)."""
    return ApiError(status, detail, kind="NotFoundError" if status == 404 else "BadRequestError")
