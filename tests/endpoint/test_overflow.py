"""A context that is too short is recognised in every server's own words, and nothing else is taken for it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from fakes.vllm import FakeVLLM, Reply

from pdr_dspy.endpoint.overflow import is_overflow
from pdr_dspy.errors import ContextOverflow, ServerFailure

from .support import open_endpoint, outcome

OVERFLOWS = {
    "vLLM 0.4": "This model's maximum context length is 4096 tokens. However, you requested 4226 tokens (3703 in the "
    "messages, 523 in the completion). Please reduce the length of the messages or completion.",
    "vLLM 0.8": "This model's maximum context length is 4096 tokens. However, you requested 5000 "
    "tokens in the messages, "
    "Please reduce the length of the messages.",
    "vLLM 0.10": "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's "
    "maximum context length is 4096 "
    "tokens and your request has 22 input tokens (5000 > 4096 - 22).",
    "vLLM 0.32": "This model's maximum context length is 4096 tokens. However, you requested 20 output tokens and your "
    "prompt contains at least 5000 input tokens, for a total of at least 5020 tokens. Please reduce the length of the "
    "input prompt or the number of requested output tokens. (parameter=input_tokens, value=5000)",
    "vLLM engine": "The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that "
    "`max_model_len` is no smaller than the number of text tokens.",
    "SGLang": "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
    "SGLang total": "Requested token count exceeds the model's maximum context length of 202752 "
    "tokens. You requested a "
    "total of 202941 tokens: 170941 tokens from the input messages and 32000 tokens "
    "for the completion. Please reduce the "
    "number of tokens in the input messages or the completion to fit within the limit.",
    "SGLang memory": "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens). "
    "Use a shorter input "
    "or enable --allow-auto-truncate.",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 1512. "
    "Given: 1000 `inputs` tokens and "
    "1024 `max_new_tokens`",
    "TGI prompt": "Input validation error: `inputs` must have less than 1024 tokens. Given: 1872",
    "llama.cpp": "the request exceeds the available context size, try increasing it",
    "llama.cpp 2025": "the request exceeds the available context size. try increasing the context size "
    "or enable context "
    "shift",
    "llama.cpp 2026": "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "llama.cpp while generating": "Context size has been exceeded.",
    "llama-cpp-python": "Requested tokens (2285) exceed context window of 2048",
    "TensorRT-LLM": "The sum of prompt length (9351.0), query length (0) should not exceed max_num_tokens (8192)",
    "TensorRT-LLM sequence": "The sum of prompt length (9351), query length (0) and max_tokens (100) should not exceed "
    "max_seq_len (8192)",
    "TensorRT-LLM backend": "Cannot process new request: Prompt length (5056) exceeds maximum sequence length (2048)",
    "TensorRT-LLM input": "Encountered an error when fetching new request: Prompt length (200) exceeds maximum input "
    "length (1). Set log level to info and check TRTGptModel logs for how maximum input length is set",
    "LMDeploy": "The input length 9000 exceeds the session_len 8192",
    "LMDeploy prompt": "exceed session max length. Please end the session.",
    "Ollama": "input length exceeds maximum context length",
    "Ollama embed": "the input length exceeds the context length",
    "Ollama prompt": "prompt too long; exceeded max context length by 300 tokens",
    "LM Studio": "Trying to keep the first 111490 tokens when context the overflows. However, the model is loaded with "
    "context length of only 32768 tokens, which is not enough.",
    "LM Studio old": "Input length 6491 exceeds context length 1500",
    "OpenAI code": "context_length_exceeded",
    "OpenAI": "Input tokens exceed the configured limit of 272000 tokens. Your messages "
    "resulted in 300000 tokens. Please "
    "reduce the length of the messages.",
    "Anthropic through a gateway": "prompt is too long: 208310 tokens > 200000 maximum",
    "Anthropic's answer": "input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000, "
    "decrease input length or `max_tokens` and try again",
    "Mistral": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "rkllm": "Prompt is 11543 tokens but the model context window is 4096 tokens.",
}

OTHERS = {
    "a field that is not known": "[{'type': 'extra_forbidden', 'loc': ('body', 'thinking_token_budget')}]",
    "a field about the context": "extra inputs are not permitted: context_window",
    "a value out of range": "temperature must be in [0, 2], got 5.0. max_tokens must be at least 1, got -3.",
    "a template": "After the optional system message, conversation roles must alternate user/assistant",
    "a grammar": "The request's grammar is not supported: maximum recursion depth exceeded",
    "too many requests": "Rate limit exceeded: 100000 tokens per minute. Please reduce your request rate.",
    "a message that is too long": "metadata.key exceeds the maximum length of 64 characters",
    "an image": "The image is larger than the maximum size of 20 MB",
    "stop": "stop: list is too long, at most 4 items",
    "a prompt's own words": "messages[0].content: expected a string. The context is missing",
    "n": "n must be <= 128",
    "a body": "Request body exceeds the limit of 1048576 bytes",
    "the best of": "best_of must be greater than or equal to n",
    "a deadline": "context deadline exceeded",
    "the empty": "",
}


@pytest.mark.parametrize("said", OVERFLOWS.values(), ids=OVERFLOWS.keys())
def test_every_server_in_its_own_words(said: str) -> None:
    assert is_overflow(said)
    assert is_overflow(f"litellm.BadRequestError: {said.upper()}")


@pytest.mark.parametrize("said", OTHERS.values(), ids=OTHERS.keys())
def test_what_is_something_else(said: str) -> None:
    assert not is_overflow(said)


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"object": "error", "message": OVERFLOWS["SGLang"], "type": "BadRequestError", "code": 400}),
        json.dumps({"error": {"code": 400, "message": OVERFLOWS["llama.cpp"], "type": "exceed_context_size_error"}}),
        json.dumps({"error": OVERFLOWS["TGI"], "error_type": "validation"}),
        json.dumps(
            {"error": {"message": "too much", "type": "invalid_request_error", "code": "context_length_exceeded"}}
        ),
        json.dumps({"detail": OVERFLOWS["TensorRT-LLM"]}),
        OVERFLOWS["LMDeploy"],
    ],
    ids=["SGLang", "llama.cpp", "TGI", "code alone", "detail", "text"],
)
def test_whatever_the_errors_form(start_fake: Callable[..., FakeVLLM], raw: str) -> None:
    server = start_fake(answer=Reply(status=400, raw=raw))
    with open_endpoint(server) as endpoint:
        assert isinstance(outcome(endpoint), ContextOverflow)
    assert len(server.calls) == 1


def test_llama_cpp_says_it_with_a_500(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(status=500, message=OVERFLOWS["llama.cpp while generating"])
    with open_endpoint(fake_vllm) as endpoint:
        assert isinstance(outcome(endpoint), ContextOverflow)
    assert len(fake_vllm.calls) == 1


def test_a_gateway_that_is_overloaded_is_not_taken_for_it(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(status=400, message=OTHERS["a deadline"])
    with open_endpoint(fake_vllm) as endpoint:
        assert isinstance(outcome(endpoint), ServerFailure)
