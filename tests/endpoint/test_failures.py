"""Every way a call can fail: its class, whether it is tried again, and what the ledger says."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from fakes.vllm import CUT, HANG, HTML, MALFORMED, RESET, FakeVLLM, Reply, overflow, too_many, unavailable

from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint import MemoryStore
from pdr_dspy.errors import ContextOverflow, EmptyAnswer, EndpointError, ServerFailure, TimedOut, Truncated

from .support import burst, drafts, open_endpoint, outcome, recorded

PASSING = {
    "429": too_many(0), "500": unavailable(500), "502 page": Reply(status=502, raw="<html>bad gateway</html>"),
    "503": unavailable(503), "html": HTML, "malformed": MALFORMED, "reset": RESET, "cut": CUT,
    "broken off": Reply(text="half an ans", finish="abort"), "error": Reply(text="half", finish="error"),
    "no choice": Reply(raw='{"choices": []}'), "not an object": Reply(raw="[]"), "null": Reply(raw="null"),
}  # fmt: skip


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_is_tried_again(fake_vllm: FakeVLLM, reply: Reply) -> None:
    fake_vllm.then(reply, reply)
    with open_endpoint(fake_vllm) as endpoint:
        out, records = recorded(endpoint)
        assert out == ["ok"]
        assert [r.outcome for r in records] == ["server", "server", "ok"]
        assert [r.attempt for r in records] == [0, 1, 2]
        assert len({r.call for r in records}) == 1
        assert records[-1].reported
        assert endpoint.stats.retries == 2
        assert endpoint.stats.failures == {"server": 2}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING.keys())
def test_and_typed_once_the_retries_are_used_up(fake_vllm: FakeVLLM, reply: Reply) -> None:
    fake_vllm.answer = reply
    with open_endpoint(fake_vllm, retries=1) as endpoint:
        error, records = recorded(endpoint)
    assert isinstance(error, ServerFailure)
    assert len(records) == len(fake_vllm.calls) == 2


@pytest.mark.parametrize(
    ("reply", "kind", "field"),
    [
        (overflow(4096, 5000, 20), ContextOverflow, None),
        (Reply(status=400, message="bad request"), ServerFailure, None),
        (Reply(status=422, message="unprocessable"), ServerFailure, None),
        (Reply(status=401, raw='{"error":"Unauthorized"}'), EndpointError, "api key"),
        (Reply(status=403, message="no"), EndpointError, "api key"),
        (Reply(status=404, message="The model `x` does not exist."), EndpointError, "model"),
        (Reply(finish="length"), Truncated, None),
        (Reply(text=None), EmptyAnswer, None),
        (Reply(text=""), EmptyAnswer, None),
        (Reply(text=None, reasoning="all thinking"), EmptyAnswer, None),
        (Reply(text="<think>never closed"), EmptyAnswer, None),
        (Reply(text="<think>closed</think>"), EmptyAnswer, None),
    ],
)
def test_what_will_not_pass_is_not_tried_again(
    fake_vllm: FakeVLLM, reply: Reply, kind: type[Exception], field: str | None
) -> None:
    fake_vllm.then(reply)
    with open_endpoint(fake_vllm) as endpoint:
        error, records = recorded(endpoint)
    assert type(error) is kind
    assert len(fake_vllm.calls) == len(records) == 1
    assert records[0].outcome == getattr(error, "kind", "server" if field is None else "endpoint")
    if field is not None:
        assert getattr(error, "field") == field  # noqa: B009


def test_retry_after_is_honoured(fake_vllm: FakeVLLM) -> None:
    fake_vllm.then(too_many(0.4))
    with open_endpoint(fake_vllm) as endpoint:
        assert outcome(endpoint) == ["ok"]
    first, second = fake_vllm.calls
    assert second.started - first.started >= 0.4


def test_an_attempt_that_hangs_is_tried_again_then_timed_out(fake_vllm: FakeVLLM) -> None:
    fake_vllm.then(HANG)
    with open_endpoint(fake_vllm, timeout=1.0) as endpoint:
        out, records = recorded(endpoint)
        assert out == ["ok"]
        assert [r.outcome for r in records] == ["timeout", "ok"]
        assert 0.9 < records[0].seconds < 3
        fake_vllm.answer = HANG
    with open_endpoint(fake_vllm, timeout=0.1, retries=1) as endpoint:
        error, records = recorded(endpoint)
    assert isinstance(error, TimedOut)
    assert [r.outcome for r in records] == ["timeout", "timeout"]
    fake_vllm.wait(lambda f: f.disconnects == 3)


def test_the_time_limit_of_a_call_is_not_retried_and_drops_the_request(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = HANG
    with open_endpoint(fake_vllm) as endpoint:
        start = time.monotonic()
        error, records = recorded(endpoint, tag=CallTag(timeout=0.3))
    assert isinstance(error, TimedOut)
    assert time.monotonic() - start < 2
    assert [r.outcome for r in records] == ["timeout"]
    assert not records[0].reported
    fake_vllm.wait(lambda f: f.disconnects == 1)


def test_the_time_limit_covers_the_waits_between_attempts(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = too_many(30)
    with open_endpoint(fake_vllm) as endpoint:
        error, records = recorded(endpoint, tag=CallTag(timeout=0.3))
    assert isinstance(error, TimedOut)
    assert [r.outcome for r in records] == ["server", "timeout"]
    assert records[-1].replica == ""


def test_a_server_that_refuses_the_thinking_cap_is_not_asked_again_and_said_so_once(
    start_fake: Callable[..., FakeVLLM],
) -> None:
    server = start_fake(refuses=["thinking_token_budget"])
    with open_endpoint(server, store=MemoryStore()) as endpoint:
        tag = CallTag(stage="draft", thinking=9)
        out, records = recorded(endpoint, tag=tag)
        assert out == ["ok"]
        assert [r.outcome for r in records] == ["ok"]
        assert [r.thinking_budget for r in records] == [9]  # it is kept by stopping the thinking there
        assert server.calls[0].body["max_tokens"] == 9
        recorded(endpoint, "again", tag=tag)
        assert ["thinking_token_budget" in c.body for c in server.probes + server.calls] == [True, False, False]
        assert not endpoint.stats.failures
        (warning,) = endpoint.stats.warnings
        assert "thinking_token_budget" in warning


def test_a_burst_before_the_refusal_warns_once_and_loses_nobody(start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(refuses=["thinking_token_budget"])
    with open_endpoint(server) as endpoint:
        tags = [CallTag(stage="draft", index=i, thinking=9) for i in range(6)]
        results, _ = burst(endpoint, tags)
        assert results == [["ok"]] * 6
        assert len(endpoint.stats.warnings) == 1


def test_a_server_that_must_cap_thinking_and_refuses_is_the_users_to_mend(start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(refuses=["thinking_token_budget"])
    with open_endpoint(server, thinking="server") as endpoint:
        error = outcome(endpoint, tag=CallTag(thinking=9))
    assert isinstance(error, EndpointError)
    assert error.field == "thinking"
    assert "--reasoning-parser" in error.mend


def test_a_refusal_of_the_callers_own_field_is_the_calls(start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(refuses=["thinking_token_budget"])
    with open_endpoint(server) as endpoint:
        error, (record,) = recorded(endpoint, thinking_token_budget=9)
        assert isinstance(error, ServerFailure) and record.outcome == "server"
        assert not endpoint.stats.warnings


def test_a_400_about_something_else_leaves_the_thinking_cap_on(fake_vllm: FakeVLLM) -> None:
    fake_vllm.then(Reply(status=400, message="bad seed"))
    with open_endpoint(fake_vllm) as endpoint:
        outcome(endpoint, tag=CallTag(thinking=9))
        outcome(endpoint, tag=CallTag(thinking=9))
        assert not endpoint.stats.warnings
    assert "thinking_token_budget" in fake_vllm.calls[1].body


def test_one_failure_of_many_stays_one_failure(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = lambda c: Reply(finish="length") if c.body["seed"] == 3 else f"draft {c.body['seed']}"
    with open_endpoint(fake_vllm) as endpoint:
        results, ledger = burst(endpoint, drafts(8))
    assert [type(r) is Truncated for r in results] == [i == 3 for i in range(8)]
    assert results[5] == ["draft 5"]
    assert ledger.meters().failures == 1
