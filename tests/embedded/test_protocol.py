"""Requests that are refused, and the metrics' text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pdr_dspy.embedded.api_errors import ApiError, context_overflow
from pdr_dspy.embedded.metrics import Histogram, Metrics
from pdr_dspy.embedded.model import read_model
from pdr_dspy.embedded.protocol import ChatRequest, Detokenize, TokenizeChat, TokenizeText, parse
from pdr_dspy.errors import EndpointError

GOOD: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": -2}, "top_k"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": 2**64}, "seed"),
        ({"stop": ""}, "stop"),
        ({"stop": ["a", ""]}, "stop"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "no role"}]}, "messages"),
        ({"thinking_token_budget": -2}, "thinking_token_budget"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"logprobs": True, "stream": True}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 2}, "top_logprobs"),
        ({"return_token_ids": True, "stream": True}, "return_token_ids"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_bad_field_is_named(change: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(ChatRequest, {**GOOD, **change})
    assert (refused.value.status, refused.value.param) == (400, param)
    assert param in refused.value.message
    assert refused.value.body()["error"]["type"] == "BadRequestError"


def test_unknown_and_harmless_fields_pass() -> None:
    request = parse(
        ChatRequest,
        {
            **GOOD,
            "foo": 1,
            "logprobs": False,
            "tools": [],
            "response_format": {"type": "text"},
            "stop": None,
            "user": "u",
        },
    )
    assert request.n == 1 and request.stops == ()


@pytest.mark.parametrize(
    ("kind", "least"),
    [(ChatRequest, GOOD), (TokenizeChat, GOOD), (TokenizeText, {"prompt": "a"}), (Detokenize, {"tokens": [1]})],
)
def test_null_is_absent_wherever_a_field_may_be(kind: type[Any], least: dict[str, Any]) -> None:
    nulls = dict.fromkeys(kind.model_fields)
    assert parse(kind, {**nulls, **least}) == parse(kind, least)
    for field in least:
        with pytest.raises(ApiError, match=field):
            parse(kind, {**least, field: None})


def test_null_is_absent_within_a_field_too() -> None:
    options = {"include_usage": None, "continuous_usage_stats": None}
    request = parse(ChatRequest, {**GOOD, "stream": True, "stream_options": options})
    assert request.stream_options is not None and request.stream_options.include_usage is False
    with pytest.raises(ApiError, match="role"):
        parse(ChatRequest, {"messages": [{"role": None, "content": "hi"}]})
    kept = parse(ChatRequest, {"messages": [{"role": "user", "content": None, "name": None}]}).messages[0]
    assert kept.model_dump() == {"role": "user", "content": None, "name": None}


def test_body_must_be_an_object() -> None:
    with pytest.raises(ApiError):
        parse(ChatRequest, ["no"])


def test_overflow_is_worded_as_vllm_words_it() -> None:
    message = context_overflow(100, 90, 20).message
    assert message.startswith(
        "This model's maximum context length is 100 tokens. However, you requested 20 output tokens"
    )
    assert "at least 90 input tokens, for a total of at least 110 tokens" in message


def test_metrics_text() -> None:
    metrics = Metrics('a"b')
    metrics.prompt_tokens += 3
    metrics.finished["length"] += 2
    lines = metrics.render(running=1, waiting=2).splitlines()
    labels = 'engine="0",model_name="a\\"b"'
    assert f"vllm:prompt_tokens_total{{{labels}}} 3" in lines
    assert f'vllm:request_success_total{{{labels},finished_reason="length"}} 2' in lines
    assert f"vllm:num_requests_waiting{{{labels}}} 2" in lines


def test_histogram_is_cumulative_and_bounds_are_inclusive() -> None:
    histogram = Histogram((0.5, 1))
    for seconds in (0.2, 0.5, 0.7, 9):
        histogram.observe(seconds)
    assert list(histogram.lines("h", 'a="b"')) == [
        'h_bucket{a="b",le="0.5"} 2',
        'h_bucket{a="b",le="1.0"} 3',
        'h_bucket{a="b",le="+Inf"} 4',
        'h_count{a="b"} 4',
        'h_sum{a="b"} 10.4',
    ]


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    for name in ("openvino_model.xml", "openvino_model.bin", "tokenizer.json"):
        (tmp_path / name).write_text("x")
    config = {"max_position_embeddings": 64, "num_attention_heads": 2, "hidden_size": 8, "num_hidden_layers": 3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2], "temperature": 0.6}))
    return tmp_path


def test_model_files(model_dir: Path) -> None:
    model = read_model(model_dir)
    assert (model.context, model.end_ids, model.defaults) == (64, {1, 2}, {"temperature": 0.6})
    assert model.kv_bytes_per_token == 2 * 3 * 8 * 4
    assert read_model(model_dir, 32).context == 32
    assert read_model(model_dir).revision == model.revision
    (model_dir / "openvino_model.bin").write_text("y")
    assert read_model(model_dir).revision != model.revision


def test_unusable_model_files_are_named(model_dir: Path) -> None:
    with pytest.raises(EndpointError, match="max-model-len"):
        read_model(model_dir, 65)
    (model_dir / "generation_config.json").unlink()
    with pytest.raises(EndpointError, match="eos_token_id"):
        read_model(model_dir)
    (model_dir / "openvino_model.bin").unlink()
    with pytest.raises(EndpointError, match=r"openvino_model\.bin"):
        read_model(model_dir)
