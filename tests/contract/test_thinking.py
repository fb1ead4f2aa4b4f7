"""A thinking that reaches its cap still leaves an answer: by the server's own cap, or stopped, closed and continued."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pdr_dspy import bridge
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import Truncated
from pdr_dspy.ledger import CallRecord, meters, open_ledger

from .support import Messages, Recorder, Served, counted, generated, open_endpoint, prompts, typed

CAP, ROOM = 24, 120  # tokens: far less thinking than the model would do on four lines, and more than its answers take
WIDTH = 6


@dataclass
class Forgetful(Recorder):
    """Passes requests on without the cap on thinking: a server that does not know the field, and does not say so."""

    def handle(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        """As a `Recorder`."""
        if path.endswith("/chat/completions"):
            asked = json.loads(body)
            asked.pop("thinking_token_budget", None)
            body = json.dumps(asked).encode()
        return super().handle(method, path, body)


def draw(
    endpoint: Endpoint, asked: list[Messages], cap: int = CAP, **config: object
) -> tuple[list[str | Exception], tuple[CallRecord, ...]]:
    """Drafts at once, thinking capped: what each wrote after its thinking, or what it raised; and their records."""

    async def one(index: int, messages: Messages) -> str | Exception:
        with tagged(CallTag(stage="draft", index=index, thinking=cap, answer=ROOM)):
            try:
                (out,) = await endpoint.lm.acall(
                    messages=messages, max_tokens=cap + ROOM, **{"seed": index, "temperature": 0.8, **config}
                )
            except Exception as error:
                return typed(error)
        return out if isinstance(out, str) else str(out["text"])

    async def every() -> list[str | Exception]:
        return list(await asyncio.gather(*(one(i, m) for i, m in enumerate(asked))))

    with open_ledger() as ledger:
        results = bridge.run(every())
    return results, ledger.records


def answered(results: list[str | Exception]) -> bool:
    """Whether every draft wrote an answer, and nothing of its thinking."""
    return all(isinstance(r, str) and r and "think>" not in r for r in results)


@pytest.mark.parametrize("thinking", ["auto", "continue"])
def test_every_draft_answers_and_every_token_is_on_record(either: Served, thinking: str) -> None:
    before = either.metrics()
    with either.endpoint(thinking=thinking) as endpoint:
        results, records = draw(endpoint, prompts(WIDTH, seed=61))
        warnings = endpoint.stats.warnings
    assert answered(results), results
    assert generated(records) == counted(either.since(before))
    sums = meters(records)
    assert (sums.calls, sums.nominal_total) == (WIDTH, WIDTH * CAP)
    assert all(r.completion_tokens <= r.max_tokens for r in records)
    by_call = {r.call: [s for s in records if s.call == r.call and s.finish] for r in records}
    assert all(sum(r.completion_tokens for r in parts) <= CAP + ROOM for parts in by_call.values())
    refuses = either.kind == "vllm" and not either.parser  # it knows no marks, and says so
    assert len(warnings) == (thinking == "auto" and refuses)
    two = [parts for parts in by_call.values() if len(parts) == 2]
    assert bool(two) == (thinking == "continue" or refuses)
    for first, second in two:
        assert (first.part, second.part, first.finish) == (0, 1, "length")
        read = second.prompt_tokens - first.prompt_tokens - first.completion_tokens
        assert 0 <= read <= 4, "the second prompt is the first one, what it was answered, and a mark"
        if second.cached_tokens is not None:  # all of it but the last, unfinished block
            assert second.cached_tokens > first.prompt_tokens + first.completion_tokens - 2 * 32


def test_a_cap_that_is_ignored_is_noticed_and_kept_all_the_same(either: Served) -> None:
    before = either.metrics()
    with Forgetful(either.base_url) as between, open_endpoint([between.base_url]) as endpoint:
        results, records = draw(endpoint, prompts(WIDTH, seed=62))
        again, later = draw(endpoint, prompts(WIDTH, seed=63))
        (warning,) = endpoint.stats.warnings
    assert "ignores thinking_token_budget" in warning
    assert answered(again), again
    # One that closed its thinking late, and so had less room, may have been cut; none is left inside its thinking.
    assert all(isinstance(r, str) or (isinstance(r, Truncated) and r.text) for r in results)
    assert generated((*records, *later)) == counted(either.since(before))
    assert {r.max_tokens for r in later if r.part == 0} == {CAP}


def test_both_ways_lead_to_the_same_greedy_answers(parsing: Served, measured: Callable[[str], None]) -> None:
    # The server does not count the opening mark: a first request of one token more ends where its cap does.
    asked = prompts(WIDTH, seed=64)
    with parsing.endpoint(thinking="server") as endpoint:
        closed, _ = draw(endpoint, asked, temperature=0)
    with parsing.endpoint(thinking="continue") as endpoint:
        carried_on, records = draw(endpoint, asked, CAP + 1, temperature=0)
    assert any(r.part for r in records)
    same = sum(a == b for a, b in zip(closed, carried_on, strict=True))
    measured(f"{parsing.kind}: {same} of {WIDTH} greedy answers alike, thinking closed by the server or continued")
    assert same > WIDTH // 2
