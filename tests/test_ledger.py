"""The meters are sums over records, whatever the shape of the run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.ledger import CallRecord, Ledger, meters, open_ledger, path_seconds, record

BASE = CallRecord(
    call="a", attempt=0, run="r", stage="draft", step=0, round=0, index=0, sample=0, problem="p", model="m", replica="",
    outcome="ok", finish="stop", prompt_tokens=10, completion_tokens=20, cached_tokens=None, thinking_tokens=None,
    reported=True, max_tokens=100, requested_tokens=100, thinking_budget=80, seconds=1.0, first_token_seconds=None,
    started=0.0, replayed=False,
)  # fmt: skip

calls = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 500), st.integers(0, 500), st.floats(0, 10), st.integers(1, 3)),
    min_size=1, max_size=20,
)  # fmt: skip


def rows_of(drawn: list[tuple[int, int, int, float, int]]) -> list[CallRecord]:
    rows = []
    for n, (step, prompt, completion, seconds, attempts) in enumerate(drawn):
        for attempt in range(attempts):
            last = attempt == attempts - 1
            rows.append(
                replace(
                    BASE, call=str(n), attempt=attempt, step=step, seconds=seconds,
                    outcome="ok" if last else "server", reported=last,
                    prompt_tokens=prompt if last else 0, completion_tokens=completion if last else 0,
                )
            )  # fmt: skip
    return rows


@given(calls)
def test_a_path_is_at_most_the_total_and_at_least_its_longest_call(
    drawn: list[tuple[int, int, int, float, int]],
) -> None:
    rows = rows_of(drawn)
    sums = meters(rows)
    assert max(r.tokens for r in rows) <= sums.b_seq <= sums.b_total == sum(r.tokens for r in rows)
    assert sums.seq_generated <= sums.total_generated == sum(r.completion_tokens for r in rows)
    assert sums.seq_calls == len({r.step for r in rows}) and sums.calls == len(drawn)
    assert sums.nominal_seq == 80 * sums.seq_calls and sums.nominal_total == 80 * sums.calls
    assert sums.failures == sums.unreported == len(rows) - len(drawn)


@given(calls, st.integers(1, 20))
def test_with_fewer_places_a_path_takes_longer_up_to_one_call_after_another(
    drawn: list[tuple[int, int, int, float, int]], places: int
) -> None:
    rows = rows_of(drawn)
    found = path_seconds(rows, places)
    widest = max(len({r.call for r in rows if r.step == step}) for step in {r.step for r in rows})
    assert path_seconds(rows, 1) == pytest.approx(sum(r.seconds for r in rows))
    assert meters(rows).seconds - 1e-9 <= found <= path_seconds(rows, 1) + 1e-9
    assert places < widest or found == pytest.approx(meters(rows).seconds)
    assert found >= sum(r.seconds for r in rows) / places - 1e-9


def test_calls_take_their_places_in_the_order_they_were_sent() -> None:
    rows = [
        replace(BASE, call=c, started=at, seconds=s) for c, at, s in (("a", 0.0, 3.0), ("b", 1.0, 1.0), ("c", 2.0, 2.0))
    ]
    assert path_seconds(rows, 2) == 3.0  # c follows b
    late = replace(BASE, call="z", step=1, seconds=5.0)
    cut = replace(BASE, call="y", step=1, seconds=9.0, outcome="cutoff")
    assert path_seconds([*rows, late, cut], 2) == 8.0
    assert path_seconds([], 3) == 0.0


@given(calls, st.randoms())
def test_the_order_of_records_does_not_matter(drawn: list[tuple[int, int, int, float, int]], chance: object) -> None:
    rows = rows_of(drawn)
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert meters(rows) == meters(shuffled)


def test_parallel_calls_count_once_on_the_path() -> None:
    rows = [replace(BASE, call=str(i), completion_tokens=10 * i, seconds=i) for i in range(1, 5)]
    rows.append(replace(BASE, call="d", step=1, completion_tokens=7, seconds=0.5))
    sums = meters(rows)
    assert (sums.seq_generated, sums.total_generated, sums.seconds) == (47, 107, 4.5)


def test_a_call_cut_by_a_quorum_is_on_no_path() -> None:
    rows = [BASE, replace(BASE, call="b", outcome="cutoff", seconds=50.0, completion_tokens=0, reported=False)]
    assert meters(rows).seconds == 1.0


def test_calls_outside_a_run_follow_one_another() -> None:
    rows = [replace(BASE, call=c, run="", stage="other") for c in "ab"]
    assert meters(rows).seq_generated == 40


def test_replayed_calls_count_in_full_but_not_as_fresh() -> None:
    sums = meters([replace(BASE, replayed=True)])
    assert (sums.total_generated, sums.fresh_generated, sums.replayed) == (20, 0, 1)


def test_ledgers_nest() -> None:
    with open_ledger() as outer:
        record(BASE)
        with open_ledger() as inner:
            record(replace(BASE, call="b"))
    assert (len(outer.records), len(inner.records)) == (2, 1)
    assert Ledger(outer.records).meters() == outer.meters()
