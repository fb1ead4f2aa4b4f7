"""A thinking that reaches its cap still leaves an answer, whichever way the server goes along with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dspy
import pytest
from fakes.thinker import Thinker
from fakes.vllm import HANG, Call, FakeVLLM, Reply, unavailable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdr_dspy import bridge
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.endpoint import FileStore, MemoryStore
from pdr_dspy.errors import BudgetExhausted, EndpointError, ServerFailure, TimedOut, Truncated, WorkflowFailed
from pdr_dspy.ledger import meters, open_ledger
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Round, Workflow

from .support import arrived, burst, open_endpoint, recorded

CAP, ROOM = 8, 6  # tokens of thinking, and of what follows
TAG = CallTag(stage="draft", thinking=CAP, answer=ROOM)
Start = Callable[..., FakeVLLM]


def serve(start_fake: Start, **thinker: Any) -> FakeVLLM:
    """A server whose model thinks."""
    server = start_fake(answer=Thinker(**thinker))
    if thinker.get("opens"):
        server.opens = "<think>\n"
    return server


def ask(endpoint: Any, tag: CallTag = TAG, **config: Any) -> Any:
    """One call with both caps: its text or error, and its records."""
    result, records = recorded(endpoint, tag=tag, **{"max_tokens": CAP + ROOM, "seed": 5, **config})
    return (said(result[0]) if isinstance(result, list) else result), records


def said(output: Any) -> str:
    """What was written after the thinking."""
    return output if isinstance(output, str) else output["text"]


@pytest.mark.parametrize("opens", [False, True], ids=["model opens", "template opens"])
@pytest.mark.parametrize("parser", [False, True], ids=["inline", "parser"])
@pytest.mark.parametrize("cap", ["kept", "ignored", "refused"])
@pytest.mark.parametrize("thinking", ["auto", "continue"])
def test_a_thinking_at_its_cap_still_answers(
    start_fake: Start, cap: str, parser: bool, opens: bool, thinking: str
) -> None:
    server = serve(start_fake, cap=cap, parser=parser, opens=opens)
    with open_endpoint(server, thinking=thinking) as endpoint:
        for _ in range(2):
            text, records = ask(endpoint)
            assert text == "a0 a1 a2"
            assert meters(records).calls == 1
            assert meters(records).nominal_total == CAP
        warnings = endpoint.stats.warnings
    last = server.calls[-1].body
    if thinking == "auto" and cap == "kept":
        assert len(server.calls) == 2 and not warnings
        return
    verb = {"ignored": "ignores", "refused": "refuses"}.get(cap, "")
    assert len(warnings) == (thinking == "auto")
    assert all(verb in warning for warning in warnings)
    # From then on: a request that ends at the cap, and one that continues what it left.
    assert [c.body["max_tokens"] for c in server.calls[-2:]] == [CAP, ROOM]
    assert all("thinking_token_budget" not in c.body for c in server.calls[-2:])
    assert (last["continue_final_message"], last["add_generation_prompt"]) == (True, False)
    assert last["messages"][:-1] == server.calls[-2].body["messages"]
    thoughts = " ".join(f"t{i}" for i in range(CAP if opens else CAP - 1))
    spelled = f"<think>\n {thoughts}\n</think>" if opens else f"<think> {thoughts}</think>"
    assert last["messages"][-1] == {"role": "assistant", "content": spelled}


def test_two_requests_are_one_call_and_every_token_of_both(start_fake: Start) -> None:
    server = serve(start_fake)
    server.answer = lambda call: replace(Thinker()(call), delay=0.05, cached=3)
    with open_endpoint(server, thinking="continue") as endpoint:
        _, (first, second) = ask(endpoint)
        stats = endpoint.stats
    sums = meters([first, second])
    assert [(r.part, r.attempt, r.outcome, r.finish) for r in (first, second)] == [
        (0, 0, "ok", "length"),
        (1, 1, "ok", "stop"),
    ]
    assert (sums.calls, sums.seq_calls, sums.attempts, sums.failures, sums.nominal_seq) == (1, 1, 2, 0, CAP)
    served = server.metrics()
    assert sums.b_seq == sums.b_total == first.tokens + second.tokens
    assert sums.prompt_tokens == served["vllm:prompt_tokens_total"] == stats.fresh_prompt_tokens
    assert sums.seq_generated == sums.total_generated == served["vllm:generation_tokens_total"] == CAP + 4
    assert sums.seconds == first.seconds + second.seconds >= 0.1
    assert sums.cached_tokens == 6
    assert (stats.requests, stats.fresh, stats.continued, stats.retries) == (2, 1, 1, 0)


def test_an_answer_cut_at_the_cap_on_thinking_gets_the_rest_of_its_own(start_fake: Start) -> None:
    answer = "".join(f" a{i}" for i in range(9))
    for parser in (False, True):
        server = serve(start_fake, thinking=3, answer=answer, parser=parser)  # closed at token 5 of 8
        with open_endpoint(server, thinking="continue") as endpoint:
            text, records = ask(endpoint, max_tokens=CAP + 9)
        assert text == answer.strip()
        assert [r.max_tokens for r in records] == [CAP, 9]
        assert server.calls[1].messages[-1]["content"] == "<think> t0 t1 t2</think> a0 a1 a2"


def test_a_call_generates_no_more_than_its_cap_in_two_requests_either(start_fake: Start) -> None:
    server = serve(start_fake, answer=" word" * 50)
    with open_endpoint(server, thinking="continue") as endpoint:
        error, records = ask(endpoint)
    assert isinstance(error, Truncated)
    assert error.text.split() == ["word"] * ROOM
    assert sum(r.completion_tokens for r in records) == CAP + ROOM
    assert [r.outcome for r in records] == ["ok", "truncated"]


@pytest.mark.parametrize("thinking", [0, 1])
def test_no_thinking_at_all_is_a_cap_too(start_fake: Start, thinking: int) -> None:
    server = serve(start_fake)
    with open_endpoint(server, thinking="continue") as endpoint:
        text, records = ask(endpoint, replace(TAG, thinking=thinking), max_tokens=thinking + ROOM)
    assert text == "a0 a1 a2"
    assert sum(r.completion_tokens for r in records) <= thinking + ROOM


def test_a_thinking_that_ends_in_time_takes_one_request(start_fake: Start) -> None:
    server = serve(start_fake, thinking=2, answer=" yes")
    with open_endpoint(server, thinking="continue") as endpoint:
        text, (record,) = ask(endpoint)
    assert (text, record.part, record.thinking_budget) == ("yes", 0, CAP)


def test_a_thinking_beyond_the_cap_is_cut_back_to_it(start_fake: Start) -> None:
    """The call that finds out answers from no more thinking than those after it."""
    server = serve(start_fake, cap="ignored")
    with open_endpoint(server) as endpoint:
        _, records = ask(endpoint)
    assert [c.body["max_tokens"] for c in server.calls] == [CAP + ROOM, ROOM]
    assert server.calls[1].messages[-1]["content"] == "<think>" + "".join(f" t{i}" for i in range(CAP)) + "</think>"
    assert [r.completion_tokens for r in records] == [CAP + ROOM, 4]


@pytest.mark.parametrize(("beyond", "noticed"), [(20, False), (60, True)])
def test_a_closed_thinking_may_be_a_little_longer_than_its_cap(start_fake: Start, beyond: int, noticed: bool) -> None:
    for parser in (False, True):
        server = serve(start_fake, cap="ignored", thinking=CAP + beyond, parser=parser)
        with open_endpoint(server) as endpoint:
            text, (record,) = ask(endpoint, max_tokens=500)
            assert (text, record.outcome) == ("a0 a1 a2", "ok")
            assert bool(endpoint.stats.warnings) == noticed


def test_who_insists_on_the_servers_cap_is_told_that_it_is_ignored(start_fake: Start) -> None:
    server = serve(start_fake, cap="ignored")
    with open_endpoint(server, thinking="server", store=MemoryStore()) as endpoint:
        for _ in range(2):
            error, (record,) = ask(endpoint)
            assert isinstance(error, EndpointError)
            assert error.field == "thinking" and "ignores" in error.problem
            assert (record.outcome, record.completion_tokens) == ("endpoint", CAP + ROOM)


@pytest.mark.parametrize("parser", [False, True])
def test_marks_are_spelled_as_the_template_wants_them(start_fake: Start, parser: bool) -> None:
    server = serve(start_fake, continues="lines", parser=parser)
    with open_endpoint(server, thinking="continue") as endpoint:
        text, records = ask(endpoint)
        _, later = ask(endpoint)  # what was taken once is tried first
    assert text == "a0 a1 a2"
    assert [(r.part, r.outcome) for r in records] == [(0, "ok"), (1, "server"), (1, "ok")]
    assert server.calls[-1].messages[-1]["content"] == "<think>\nt0 t1 t2 t3 t4 t5 t6\n</think>"
    assert meters(records).b_seq == records[0].tokens + records[2].tokens
    assert [r.outcome for r in later] == ["ok", "ok"]


def test_a_server_that_continues_nothing_leaves_a_truncation_that_says_so(start_fake: Start) -> None:
    server = serve(start_fake, continues="no", cap="refused")
    with open_endpoint(server) as endpoint:
        error, records = ask(endpoint)
        assert isinstance(error, Truncated) and "the server refuses it" in str(error)
        assert [(r.part, r.outcome) for r in records] == [(0, "ok"), (1, "server"), (1, "server")]
        # Later calls have all of their cap for one request.
        again, (record,) = ask(endpoint)
        assert isinstance(again, Truncated) and "the server refuses it" in str(again)
        assert (record.max_tokens, record.thinking_budget) == (CAP + ROOM, None)
        assert len(endpoint.stats.warnings) == 2


def test_one_refusal_of_many_is_that_calls_own(start_fake: Start) -> None:
    server = serve(start_fake)
    with open_endpoint(server, thinking="continue") as endpoint:
        ask(endpoint)
        server.answer = Thinker(continues="no")
        error, _ = ask(endpoint)
        assert isinstance(error, Truncated) and "the server refuses it" in str(error)
        server.answer = Thinker()
        text, _ = ask(endpoint)
        assert text == "a0 a1 a2"
        assert not endpoint.stats.warnings


def test_a_template_that_drops_the_thinking_is_noticed(start_fake: Start) -> None:
    server = serve(start_fake, thinking=200)
    server.renders = lambda text: text.rpartition("</think>")[2]
    with open_endpoint(server, thinking="continue") as endpoint:
        error, records = ask(endpoint, replace(TAG, thinking=40), max_tokens=60)
        assert isinstance(error, Truncated) and "leaves the thinking out" in str(error)
        assert [r.outcome for r in records] == ["ok", "truncated"]
        assert endpoint.stats.warnings
    assert sum(r.tokens for r in records) == sum(list(server.metrics().values())[:2])


def test_an_answer_without_any_mark_has_all_of_its_cap(start_fake: Start) -> None:
    server = serve(start_fake, marks=False, thinking=0, answer=" word" * 10)
    with open_endpoint(server, thinking="continue") as endpoint:
        text, records = ask(endpoint)
        assert text.split() == ["word"] * 10
        server.answer = Thinker(marks=False, thinking=0, answer=" word" * 20)
        error, _ = ask(endpoint)
    assert len(records) == 2
    assert isinstance(error, Truncated) and "no thinking mark was seen" in str(error)


def test_a_thinking_between_other_marks_is_not_closed_with_ours(start_fake: Start) -> None:
    # Its tokenizer cuts </think> to pieces: whatever the parser looks for, it is not that.
    server = start_fake(answer=Thinker(parser=True, marks=False, thinking=40), tokenizer="bytes")
    with open_endpoint(server, thinking="continue") as endpoint:
        error, records = ask(endpoint)
        assert isinstance(error, Truncated) and "between <think> and </think>" in str(error)
        assert len(records) == len(server.calls) == 1
        ask(endpoint)
    assert server.calls[1].body["max_tokens"] == CAP + ROOM


@pytest.mark.parametrize(
    "config", [{"response_format": {"type": "json_object"}}, {"logprobs": True}], ids=["grammar", "logprobs"]
)
def test_what_cannot_be_put_together_is_asked_in_one(start_fake: Start, config: dict[str, Any]) -> None:
    server = serve(start_fake)
    with open_endpoint(server, thinking="continue") as endpoint:
        error, (record,) = ask(endpoint, **config)
    assert isinstance(error, Truncated)
    assert (record.max_tokens, record.thinking_budget) == (CAP + ROOM, None)


def test_the_second_seed_is_its_own_and_always_the_same(start_fake: Start) -> None:
    server = serve(start_fake)
    with open_endpoint(server, thinking="continue") as endpoint:
        ask(endpoint)
        ask(endpoint)
        ask(endpoint, seed=6)
    firsts, seconds = ([c.body["seed"] for c in server.calls[i::2]] for i in (0, 1))
    assert firsts == [5, 5, 6]
    assert seconds[0] == seconds[1] != seconds[2]
    assert not set(firsts) & set(seconds)


def test_a_replay_costs_what_both_requests_cost(start_fake: Start, tmp_path: Path) -> None:
    server = serve(start_fake, cap="ignored")
    with open_endpoint(server, store=FileStore(tmp_path)) as endpoint:
        fresh = [ask(endpoint, replace(TAG, index=i)) for i in range(2)]
    seen = len(server.calls)
    # Another process, which does not know yet that the server ignores the cap.
    with open_endpoint(server, store=FileStore(tmp_path)) as endpoint:
        again = [ask(endpoint, replace(TAG, index=i)) for i in range(2)]
    assert len(server.calls) == seen == 4
    for (text, records), (text_again, (record,)) in zip(fresh, again, strict=True):
        assert text_again == text == "a0 a1 a2"
        whole, sums = meters([record]), meters(records)
        assert record.replayed and whole.replayed == 1
        for name in ("b_seq", "b_total", "seq_generated", "nominal_total", "calls", "prompt_tokens", "cached_tokens"):
            assert getattr(whole, name) == getattr(sums, name), name
        assert whole.seconds == pytest.approx(sums.seconds)


def test_ways_the_user_names_do_not_share_answers(start_fake: Start) -> None:
    server = serve(start_fake)
    store = MemoryStore()
    for thinking in ("server", "continue", "off"):
        with open_endpoint(server, thinking=thinking, store=store) as endpoint:
            ask(endpoint, max_tokens=30)
    assert len(store) == 3 + len(server.probes) == 4


def second_request(reply: Reply) -> Callable[[Call], Reply]:
    """A thinking model that answers the first continuation otherwise."""
    seen: list[Call] = []

    def answer(call: Call) -> Reply:
        if call.body.get("continue_final_message") and not seen:
            seen.append(call)
            return reply
        return Thinker()(call)

    return answer


def test_a_second_request_that_fails_is_tried_again_alone(start_fake: Start) -> None:
    server = start_fake(answer=second_request(unavailable()))
    with open_endpoint(server, thinking="continue") as endpoint:
        text, records = ask(endpoint)
        stats = endpoint.stats
    assert text == "a0 a1 a2"
    assert [(r.part, r.attempt, r.outcome) for r in records] == [(0, 0, "ok"), (1, 1, "server"), (1, 2, "ok")]
    assert (stats.fresh, stats.continued, stats.retries) == (1, 1, 1)


def test_a_second_request_that_never_succeeds_keeps_nothing(start_fake: Start) -> None:
    server = start_fake(answer=second_request(unavailable()))
    store = MemoryStore()
    with open_endpoint(server, thinking="continue", store=store, retries=0) as endpoint:
        error, records = ask(endpoint)
        assert isinstance(error, ServerFailure)
        assert [(r.part, r.outcome) for r in records] == [(0, "ok"), (1, "server")]
        assert len(store) == 0
        text, _ = ask(endpoint)
    assert text == "a0 a1 a2"
    assert len(store) == 1


def test_the_time_limit_of_a_call_covers_both_requests(start_fake: Start) -> None:
    server = start_fake(answer=second_request(HANG))
    with open_endpoint(server, thinking="continue") as endpoint:
        error, records = ask(endpoint, replace(TAG, timeout=0.5))
    assert isinstance(error, TimedOut)
    assert [(r.part, r.outcome, r.reported) for r in records] == [(0, "ok", True), (1, "timeout", False)]
    server.wait(lambda s: s.disconnects == 1)


@pytest.mark.parametrize("waiting", [False, True], ids=["in the second request", "between the two"])
def test_a_call_cut_off_after_its_first_request(start_fake: Start, waiting: bool) -> None:
    def answer(call: Call) -> Reply:
        last = call.messages[-1]
        return (
            HANG if last["content"] == "other" or last["role"] == "assistant" else replace(Thinker()(call), delay=1.0)
        )

    server = start_fake(answer=answer)

    async def cut(endpoint: Any) -> None:
        with tagged(TAG):
            task = asyncio.ensure_future(endpoint.lm.acall("hello", max_tokens=CAP + ROOM))
            await arrived(server)
        other = asyncio.ensure_future(endpoint.lm.acall("other", max_tokens=5)) if waiting else None
        await arrived(server, 2)
        await asyncio.sleep(0.1)
        for each in filter(None, (task, other)):
            each.cancel()
        await asyncio.gather(*filter(None, (task, other)), return_exceptions=True)

    with open_endpoint(server, thinking="continue", load=1) as endpoint, open_ledger() as ledger:
        bridge.run(cut(endpoint))
    records = [r for r in ledger.records if r.stage == "draft"]
    assert [(r.part, r.outcome, bool(r.replica)) for r in records] == [(0, "ok", True), (1, "cutoff", not waiting)]
    assert sum(r.tokens for r in ledger.records) == sum(list(server.metrics().values())[:2])
    assert meters(records).b_seq == 0 < meters(records).b_total  # nobody waited for it
    server.wait(lambda s: s.disconnects == 1)


def test_the_second_request_goes_where_the_first_one_went(start_fake: Start) -> None:
    servers = [serve(start_fake) for _ in range(2)]
    with open_endpoint(*servers, thinking="continue") as endpoint:
        results, ledger = burst(endpoint, [replace(TAG, index=i) for i in range(8)], max_tokens=CAP + ROOM)
    assert [said(out) for (out,) in results] == ["a0 a1 a2"] * 8
    places: dict[str, set[str]] = {}
    for record in ledger.records:
        places.setdefault(record.call, set()).add(record.replica)
    assert all(len(urls) == 1 for urls in places.values())
    assert all(s.calls for s in servers)


def test_both_requests_fit_into_the_context(start_fake: Start) -> None:
    server = start_fake(context=60, answer=Thinker(thinking=200, answer=" word" * 200))
    with open_endpoint(server, thinking="continue") as endpoint:
        error, records = ask(endpoint, replace(TAG, thinking=100, answer=20), max_tokens=120)
    assert isinstance(error, Truncated)
    assert "word" in error.text  # the thinking gave way, not the answer
    assert [r.outcome for r in records] == ["ok", "truncated"]
    assert max(r.tokens for r in records) <= 60


@pytest.mark.parametrize("room", [True, False])
def test_tokens_that_were_not_set_aside_are_asked_for(start_fake: Start, room: bool) -> None:
    server = serve(start_fake, cap="ignored")
    asked: list[int] = []

    def more(tokens: int) -> None:
        asked.append(tokens)
        if not room:
            raise BudgetExhausted("total=1")

    with open_endpoint(server) as endpoint:
        result, records = ask(endpoint, replace(TAG, more=more))
    first, second = records
    assert asked[0] >= second.tokens + first.completion_tokens - (CAP + ROOM)
    assert (result == "a0 a1 a2") if room else isinstance(result, BudgetExhausted)
    assert (second.part, second.outcome, bool(second.replica)) == ((1, "ok", True) if room else (1, "budget", False))


@pytest.mark.parametrize("thinking", ["auto", "continue"])
@pytest.mark.parametrize("total", [400, 700, 1000, 1500, 3000])
def test_a_total_budget_holds_and_no_draft_is_begun_that_it_could_not_end(
    start_fake: Start, thinking: str, total: int
) -> None:
    answer = "[[ ## solution ## ]]\nx\n\n[[ ## answer ## ]]\n1\n\n[[ ## completed ## ]]"
    server = start_fake(answer=Thinker(cap="ignored", thinking=300, answer=answer))
    workflow = Workflow(name="w", rounds=(Round(width=6, thinking=20, answer=30),), close="vote")
    with open_endpoint(server, thinking=thinking) as endpoint, dspy.context(lm=endpoint.lm):
        for _ in range(2):  # in auto, the second run knows what the server does
            try:
                record = PDR("question -> answer", workflow, budget=f"total={total}")(question="?").run
            except WorkflowFailed as failed:
                record = failed.record
            assert record.meters.b_total <= total
        drafts, failed = len(record.rounds[0].drafts), record.rounds[0].failed
    assert drafts + len(failed) == 6 and {f.kind for f in failed} <= {"budget"}
    assert drafts == record.meters.calls  # what was begun, answered
    assert total < 3000 or drafts == 6


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    thinkers=st.lists(
        st.builds(
            Thinker,
            thinking=st.integers(0, 14),
            answer=st.sampled_from(["", " a0", " a0 a1 a2 a3 a4 a5 a6 a7 a8 a9"]),
            cap=st.sampled_from(["kept", "ignored", "refused"]),
            parser=st.booleans(),
            continues=st.sampled_from(["yes", "lines", "no"]),
        ),
        min_size=1,
        max_size=3,
    ),
    faults=st.sets(st.integers(0, 12), max_size=4),
    thinking=st.sampled_from(["auto", "continue", "off"]),
    load=st.integers(1, 4),
)
def test_sums_equal_the_servers_whatever_way_is_gone(
    fake_vllm: FakeVLLM, thinkers: list[Thinker], faults: set[int], thinking: str, load: int
) -> None:
    """Even where replicas of one name behave differently."""
    before, seen, probes = fake_vllm.metrics(), len(fake_vllm.calls), len(fake_vllm.probes)

    def answer(call: Call) -> Reply:
        number = call.number - seen
        return unavailable() if number in faults else thinkers[number % len(thinkers)](call)

    fake_vllm.answer = answer
    tags = [replace(TAG, index=i) for i in range(4)]
    with open_endpoint(fake_vllm, thinking=thinking, load=load, retries=1, backoff=0.001) as endpoint:
        _, ledger = burst(endpoint, tags, max_tokens=CAP + ROOM)
        stats = endpoint.stats
    served = {name: value - before[name] for name, value in fake_vllm.metrics().items()}
    records = ledger.records
    assert sum(r.prompt_tokens for r in records) == served["vllm:prompt_tokens_total"] == stats.fresh_prompt_tokens
    assert sum(r.completion_tokens for r in records) == served["vllm:generation_tokens_total"] == stats.fresh_tokens
    assert sum(bool(r.finish) for r in records) == served["vllm:request_success_total"]
    sent = len(fake_vllm.calls) - seen + len(fake_vllm.probes) - probes
    assert len(records) == sent == stats.requests
    assert ledger.meters().calls == len(tags)
    assert all(r.completion_tokens <= r.max_tokens for r in records)
