"""Budgets: what parses and what does not, and the account that never goes over its total."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.budget import Budget, Reservation, Spend, parse_budget
from pdr_dspy.errors import BudgetError, BudgetExhausted

limits = st.none() | st.integers(1, 10**10)
budgets = st.builds(
    Budget,
    tokens=limits,
    total=limits,
    seconds=st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False) | st.integers(1, 10**6),
)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("tokens=16k,total=400k,seconds=30", Budget(16_000, 400_000, 30.0)),
        ("tokens=16384", Budget(tokens=16_384)),
        ("tokens=1.5k", Budget(tokens=1500)),
        ("total=1.2345m", Budget(total=1_234_500)),
        ("tokens=16K", Budget(tokens=16_000)),
        (" seconds = 2m , tokens = 8 ", Budget(tokens=8, seconds=120.0)),
        ("seconds=30s", Budget(seconds=30.0)),
        ("seconds=0.5", Budget(seconds=0.5)),
        ("unlimited", Budget()),
    ],
)
def test_a_budget_parses(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("tokens=16q", "budget.tokens"),
        ("tokens=", "budget.tokens"),
        ("tokens=-5", "budget.tokens"),
        ("tokens=0", "budget.tokens"),
        ("tokens=1.0005k", "budget.tokens"),
        ("tokens=1.5", "budget.tokens"),
        ("tokens=1e3", "budget.tokens"),
        ("tokens=16 k", "budget.tokens"),
        ("tokens=٣", "budget.tokens"),
        ("total=nan", "budget.total"),
        ("total=8k,total=9k", "budget.total"),
        ("seconds=0", "budget.seconds"),
        ("seconds=inf", "budget.seconds"),
        ("seconds=" + "9" * 400, "budget.seconds"),
        ("seconds=3h", "budget.seconds"),
        ("tokns=5", "budget.tokns"),
        ("16k", "budget"),
        ("tokens=5,", "budget"),
        ("", "budget"),
        ("  ", "budget"),
    ],
)
def test_what_is_no_budget_says_so(text: str, field: str) -> None:
    with pytest.raises(BudgetError) as caught:
        parse_budget(text)
    assert caught.value.field == field
    assert caught.value.mend


@pytest.mark.parametrize("wrong", [{"tokens": 0}, {"tokens": True}, {"total": 1.5}, {"seconds": float("nan")}])
def test_a_budget_made_in_python_is_checked_too(wrong: dict[str, float]) -> None:
    with pytest.raises(BudgetError):
        Budget(**wrong)  # type: ignore[arg-type]


@given(budgets)
def test_a_budget_reads_back_from_its_text(budget: Budget) -> None:
    assert parse_budget(str(budget)) == budget


def test_a_budget_is_written_short() -> None:
    assert str(Budget(16_000, 2_000_000, 30)) == "tokens=16k,total=2m,seconds=30"
    assert str(Budget(16_384, seconds=0.25)) == "tokens=16384,seconds=0.25"


@given(
    st.integers(1, 1000),
    st.lists(st.tuples(st.booleans(), st.integers(0, 300), st.floats(0, 1)), max_size=60),
)
def test_spent_never_exceeds_the_total(total: int, events: list[tuple[bool, int, float]]) -> None:
    spend = Spend(Budget(total=total))
    running: list[Reservation] = []
    used = 0
    for start, size, fraction in events:
        if start or not running:
            fits = spend.spent + spend.reserved + size <= total
            if fits:
                running.append(spend.reserve(size))
            else:
                with pytest.raises(BudgetExhausted):
                    spend.reserve(size)
        else:
            ended = running.pop(size % len(running))
            taken = int(ended.tokens * fraction)
            spend.reconcile(ended, taken)
            used += taken
        assert spend.spent == used
        assert spend.reserved == sum(r.tokens for r in running)
        assert spend.spent + spend.reserved <= total
        assert spend.remaining_tokens() == total - spend.spent - spend.reserved


def test_many_threads_share_one_total() -> None:
    spend = Spend(Budget(total=1000))

    def call(_: int) -> bool:
        try:
            reservation = spend.reserve(10)
        except BudgetExhausted:
            return False
        spend.reconcile(reservation, 10)
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(call, range(300)))
    assert sum(done) == 100
    assert (spend.spent, spend.reserved) == (1000, 0)


def test_tokens_can_be_kept_for_later_calls() -> None:
    spend = Spend(Budget(total=100))
    spend.reserve(40, keep=50)
    with pytest.raises(BudgetExhausted, match="50 are kept"):
        spend.reserve(40, keep=50)
    spend.reserve(60)


def test_without_a_total_nothing_is_refused() -> None:
    spend = Spend(Budget(tokens=1))
    spend.reconcile(spend.reserve(10**9), 10**9)
    assert spend.remaining_tokens() is None


def test_a_reservation_closes_once_and_in_its_own_account() -> None:
    spend, other = Spend(Budget(total=10)), Spend(Budget(total=10))
    mine, theirs = spend.reserve(4), other.reserve(4)
    with pytest.raises(ValueError, match="not open"):
        spend.reconcile(theirs, 1)
    with pytest.raises(ValueError, match="negative"):
        spend.reconcile(mine, -1)
    spend.reconcile(mine, 3)
    with pytest.raises(ValueError, match="not open"):
        spend.reconcile(mine, 3)
    with pytest.raises(ValueError, match="negative"):
        spend.reserve(-1)


def test_the_clock_runs_out() -> None:
    spend = Spend(Budget(seconds=5), started=100.0)
    assert spend.remaining_seconds(102.0) == 3.0
    assert spend.remaining_seconds(200.0) == 0.0
    spend.reserve(1, now=104.9)
    with pytest.raises(BudgetExhausted, match="seconds=5"):
        spend.reserve(1, now=105.0)
    assert Spend(Budget()).remaining_seconds() is None
