"""Which problems are asked when: shares to the problem, every problem before one comes back, the same each time."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from experiments.training.rollouts import Mode
from experiments.training.schedule import Asked, counts, schedule

modes = st.sampled_from(["trace", "operator", "distill"])
shares = st.dictionaries(modes, st.floats(0.05, 1.0), min_size=1)


def test_half_and_half() -> None:
    assert counts(32, {"trace": 0.5, "operator": 0.5}) == {"trace": 16, "operator": 16}
    assert counts(3, {"trace": 0.9, "operator": 0.1}) == {"trace": 2, "operator": 1}


@given(st.integers(3, 200), shares)
def test_shares_add_up_and_nobody_is_left_out(problems: int, given_shares: dict[Mode, float]) -> None:
    found = counts(problems, given_shares)
    assert sum(found.values()) == problems
    assert set(found) == set(given_shares)
    assert min(found.values()) >= 1
    total = sum(given_shares.values())
    for mode, count in found.items():
        assert count == 1 or abs(count - problems * given_shares[mode] / total) < len(found)


@given(st.integers(1, 30), st.integers(1, 8), st.integers(2, 12), st.integers(0, 3))
def test_a_problem_comes_back_only_after_all_others(known: int, steps: int, problems: int, seed: int) -> None:
    ids = [f"p{number}" for number in range(known)]
    found = schedule(ids, steps, problems, {"trace": 0.5, "operator": 0.5}, seed)
    assert len(found) == steps * problems
    assert [asked.number for asked in found] == list(range(steps * problems))
    for step in range(steps):  # each step has its shares, and each half of it some of each mode
        of_step = Counter(asked.mode for asked in found[step * problems : (step + 1) * problems])
        assert of_step == counts(problems, {"trace": 0.5, "operator": 0.5})
    assert {found[0].mode, found[1].mode} == {"trace", "operator"}
    times = Counter(asked.problem for asked in found)
    assert max(times.values()) - min(times.get(p, 0) for p in ids) <= 1
    assert found == schedule(ids, steps, problems, {"trace": 0.5, "operator": 0.5}, seed)


def test_a_longer_schedule_begins_with_the_shorter_one() -> None:
    ids = [str(n) for n in range(10)]
    assert schedule(ids, 5, 4, {"trace": 1.0}, 0)[:8] == schedule(ids, 2, 4, {"trace": 1.0}, 0)


def test_a_row_is_read_as_it_was_written() -> None:
    asked = Asked("operator", 'worksheet-"1"', 7)
    assert Asked.of(asked.text()) == asked
