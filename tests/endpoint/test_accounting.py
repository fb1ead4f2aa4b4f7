"""The ledger's sums are the server's own counters, whatever goes wrong on the way."""

from __future__ import annotations

from fakes.vllm import CUT, HTML, MALFORMED, RESET, FakeVLLM, Reply, too_many, unavailable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdr_dspy.endpoint import MemoryStore

from .support import burst, drafts, open_endpoint

FAULTS = [too_many(0), unavailable(500), unavailable(503), HTML, MALFORMED, RESET, CUT]
ANSWERS = [
    Reply(text="a b c"),
    Reply(text="x", reasoning="think think"),
    Reply(text=None, reasoning="only thinking"),
    Reply(text="<think>inline</think>y", cached=2),
    Reply(text="one two three four five six seven eight"),  # longer than the cap: truncated
    Reply(text=""),
    Reply(text="half", finish="abort"),
]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    script=st.lists(st.sampled_from(FAULTS + ANSWERS), max_size=12),
    width=st.integers(1, 6),
    load=st.integers(1, 4),
    keep=st.booleans(),
)
def test_sums_equal_the_servers(fake_vllm: FakeVLLM, script: list[Reply], width: int, load: int, keep: bool) -> None:
    before = fake_vllm.metrics()
    seen = len(fake_vllm.calls)
    fake_vllm._queue.clear()
    fake_vllm.then(*script)
    store = MemoryStore() if keep else None
    with open_endpoint(fake_vllm, load=load, retries=2, backoff=0.001, store=store) as endpoint:
        _, ledger = burst(endpoint, drafts(width), max_tokens=5)
        _, again = burst(endpoint, drafts(width), max_tokens=5)
        stats = endpoint.stats
    after = fake_vllm.metrics()
    records = [*ledger.records, *again.records]
    fresh = [r for r in records if not r.replayed]
    served = {k: after[k] - before[k] for k in after}
    assert sum(r.prompt_tokens for r in fresh) == served["vllm:prompt_tokens_total"] == stats.fresh_prompt_tokens
    assert sum(r.completion_tokens for r in fresh) == served["vllm:generation_tokens_total"] == stats.fresh_tokens
    assert sum(bool(r.finish) for r in fresh) == served["vllm:request_success_total"]
    assert stats.fresh == sum(bool(r.finish) and r.finish != "abort" for r in fresh)
    assert len(fresh) == len(fake_vllm.calls) - seen == stats.requests
    assert ledger.meters().calls == again.meters().calls == width
    assert sum(r.replayed for r in records) == stats.replayed
    assert sum(r.outcome != "ok" for r in fresh) == sum(stats.failures.values())
    if keep:
        # What the first burst was answered, the second is answered too, at the same price.
        paid = {(r.index, r.tokens) for r in ledger.records if r.finish not in ("", "abort")}
        assert paid <= {(r.index, r.tokens) for r in again.records if r.finish}
