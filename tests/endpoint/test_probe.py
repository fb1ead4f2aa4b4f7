"""One probe tells how a server deals with thinking: sent once, when it is needed, and no call pays for finding out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.vllm import Call, FakeVLLM, Reply, unavailable

from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.endpoint import FileAllowance, MemoryStore, probe
from pdr_dspy.endpoint.probe import thinks
from pdr_dspy.errors import EndpointError
from pdr_dspy.ledger import PROBE, REFUSED, meters, open_ledger, path_seconds

from .support import burst, call, open_endpoint, outcome, recorded

Start = Callable[..., FakeVLLM]
TAGS = [CallTag(stage="draft", index=i, thinking=9, answer=40) for i in range(8)]
CARD = {"id": "fake-model", "object": "model", "max_model_len": 4096}


def test_a_burst_sends_one_probe_and_no_draft_is_refused(start_fake: Start) -> None:
    server = start_fake(refuses=["thinking_token_budget"])
    with open_endpoint(server) as endpoint:
        results, ledger = burst(endpoint, TAGS)
        assert results == [["ok"]] * 8
        assert not endpoint.stats.failures
        (warning,) = endpoint.stats.warnings
        assert "refuses thinking_token_budget" in warning
    assert len(server.probes) == 1 and len(server.calls) == 8
    assert all("thinking_token_budget" not in c.body for c in server.calls)
    sums = ledger.meters()
    assert (sums.failures, sums.calls, sums.attempts) == (0, 8, 9)
    assert [r.outcome for r in ledger.records if r.stage == PROBE] == [REFUSED]


def test_what_it_costs_is_counted_and_no_call(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    allowance = FileAllowance(tmp_path, 10_000)
    store = MemoryStore()
    with open_endpoint(fake_vllm, store=store, allowance=allowance) as endpoint:
        results, ledger = burst(endpoint, TAGS)
        stats = endpoint.stats
    assert results == [["ok"]] * 8 and len(store) == 9  # the probe's, too
    (found,) = (r for r in ledger.records if r.stage == PROBE)
    assert found.max_tokens == probe.TOKENS and found.outcome == "ok"
    served, sums = fake_vllm.metrics(), ledger.meters()
    calls = [r for r in ledger.records if r.stage != PROBE]
    assert sums.prompt_tokens == served["vllm:prompt_tokens_total"] == stats.fresh_prompt_tokens
    assert sums.total_generated == served["vllm:generation_tokens_total"] == stats.fresh_tokens == allowance.spent
    assert sums.b_total == meters(calls).b_total + found.tokens
    for name in ("b_seq", "seq_generated", "nominal_seq", "nominal_total", "seq_calls", "calls", "seconds"):
        assert getattr(sums, name) == getattr(meters(calls), name), name
    assert path_seconds(ledger.records, 4) == path_seconds(calls, 4)


def test_it_is_not_sent_before_a_cap_is_and_not_for_what_is_in_the_store(fake_vllm: FakeVLLM) -> None:
    store = MemoryStore()
    with open_endpoint(fake_vllm, store=store) as endpoint:
        call(endpoint)
        assert not fake_vllm.probes
        call(endpoint, tag=TAGS[0])
        assert len(fake_vllm.probes) == 1
    with open_endpoint(fake_vllm, store=store) as endpoint:
        call(endpoint, tag=TAGS[0])
        assert len(fake_vllm.probes) == 1
        assert endpoint.thinks_always is None


def test_who_goes_on_with_a_store_knows_what_was_found_out(fake_vllm: FakeVLLM) -> None:
    store = MemoryStore()
    for _ in range(2):
        with open_endpoint(fake_vllm, store=store) as endpoint:
            assert endpoint.probe() is False
            assert len(fake_vllm.probes) == 1


@pytest.mark.parametrize("thinking", ["continue", "off"])
def test_who_sends_no_cap_asks_only_for_the_thinking(fake_vllm: FakeVLLM, thinking: str) -> None:
    with open_endpoint(fake_vllm, thinking=thinking) as endpoint:
        call(endpoint, tag=TAGS[0])
        assert not fake_vllm.probes
        assert endpoint.probe() is False
        assert endpoint.probe() is False
    (sent,) = fake_vllm.probes
    assert "thinking_token_budget" not in sent.body
    assert sent.body["chat_template_kwargs"] == {"enable_thinking": False}
    assert (sent.body["max_tokens"], sent.body["temperature"]) == (16, 0)


def test_who_insists_on_the_servers_cap_is_told_before_a_draft_is_sent(start_fake: Start) -> None:
    server = start_fake(refuses=["thinking_token_budget"])
    with open_endpoint(server, thinking="server") as endpoint:
        for tag in TAGS[:2]:
            error = outcome(endpoint, tag=tag)
            assert isinstance(error, EndpointError) and error.field == "thinking"
    assert not server.calls and len(server.probes) == 1


def test_a_probe_that_fails_teaches_nothing_and_stops_nobody(start_fake: Start) -> None:
    server = start_fake(answer=lambda c: unavailable() if c.is_probe else Reply(text="ok"))
    server.answer_probes = True
    with open_endpoint(server) as endpoint:
        results, _ = burst(endpoint, TAGS)
        assert results == [["ok"]] * 8
        assert endpoint.thinks_always is None
        assert len(server.probes) == 1
    assert all(c.body["thinking_token_budget"] == 9 for c in server.calls)


def test_a_refusal_that_comes_later_is_no_failure_either(start_fake: Start) -> None:
    server = start_fake()
    with open_endpoint(server) as endpoint:
        call(endpoint, tag=TAGS[0])
        server.refuses = {"thinking_token_budget"}
        out, records = recorded(endpoint, "again", tag=TAGS[1])
        assert out == ["ok"]
        assert [r.outcome for r in records] == [REFUSED, "ok"]
        assert meters(records).failures == 0 and not endpoint.stats.failures


def test_after_a_refused_cap_the_thinking_is_still_found_out(start_fake: Start) -> None:
    server = start_fake(refuses=["thinking_token_budget"])
    with open_endpoint(server) as endpoint:
        call(endpoint, tag=TAGS[0])
        assert endpoint.thinks_always is None
        assert endpoint.probe() is False
    assert ["thinking_token_budget" in c.body for c in server.probes] == [True, False]


def test_who_stops_waiting_does_not_stop_the_others(start_fake: Start) -> None:
    server = start_fake(answer=lambda c: Reply(delay=0.3) if c.is_probe else Reply(text="ok"))
    server.answer_probes = True
    with open_endpoint(server) as endpoint:
        tags = [replace(TAGS[0], timeout=0.1), *TAGS[1:]]
        results, _ = burst(endpoint, tags)
    assert results[1:] == [["ok"]] * 7
    assert len(server.probes) == 1


@pytest.mark.parametrize(("switchable", "thinks_always"), [(True, False), (False, True)])
def test_a_card_that_says_so_needs_no_probe(start_fake: Start, switchable: bool, thinks_always: bool) -> None:
    listed = {"data": [{**CARD, "pdr": {"switchable": switchable}}]}
    server = start_fake(models_reply=Reply(raw=json.dumps(listed)))
    with open_endpoint(server) as endpoint:
        assert endpoint.thinks_always is thinks_always
        assert endpoint.probe() is thinks_always
        assert not server.probes


async def test_it_can_be_awaited_from_any_loop(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint, open_ledger() as ledger, tagged(TAGS[0]):
        found = await asyncio.gather(endpoint.probed(), endpoint.probed(), endpoint.probed())
        assert found == [False] * 3
    assert [r.stage for r in ledger.records] == [PROBE]


def body(text: str | None = None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text, **message}, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("answer", "opening", "expected"),
    [
        (body("ok"), None, False),
        (body("ok"), "<think>\n", False),
        (body(""), None, False),
        (body(None), None, False),
        (body("I think: ok"), None, False),
        (body("ok", "length"), None, False),
        (body("ok", reasoning_content=""), None, False),
        (body(None, "length", reasoning_content="The user wants"), None, True),
        (body("ok", reasoning="Hm."), None, True),
        (body("<think>\nThe user", "length"), None, True),
        (body("\n<think>\n\n</think>\n\nok"), None, False),
        (body("<think>hm</think>ok"), None, True),
        (body("The user</think>ok"), None, True),
        (body("The user wants me", "length"), "<think>\n", True),
        (body("[THINK]The user", "length"), None, True),
        (body("<seed:think>The", "length"), None, True),
        (body("<|channel|>analysis<|message|>The user", "length"), None, True),
        (body("<thought>The user", "length"), None, True),
        ({**body("ok"), "usage": {"completion_tokens_details": {"reasoning_tokens": 12}}}, None, True),
        ({**body("ok"), "usage": {"completion_tokens_details": {"reasoning_tokens": 0}}}, None, False),
    ],
)
def test_what_a_thinking_looks_like(answer: dict[str, Any], opening: str | None, expected: bool) -> None:
    assert thinks(answer, opening) is expected


@pytest.mark.parametrize("opens", ["", "<think>\n"])
def test_a_model_that_always_thinks_is_known_after_one_request(start_fake: Start, opens: str) -> None:
    def answer(call: Call) -> Reply:
        return Reply(text=("" if opens else "<think>") + "hm " * 600 + "</think> ok")

    server = start_fake(answer=answer)
    server.opens, server.answer_probes = opens, True
    with open_endpoint(server) as endpoint:
        assert endpoint.probe() is True
    assert server.probes[0].completion_tokens == 16
