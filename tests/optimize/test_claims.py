"""Whose trial it is where several workers ask at once: every order of their steps. (In a database: test_workers.)"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from optimize.study.claims import KEY, STARTED, TAKEN, verdict
from optimize.study.stale_trials import RETRY_OF


def made(number: int, state: TrialState, **attrs: Any) -> FrozenTrial:
    """A trial as a storage would show it."""
    choice = CategoricalDistribution((1,))
    trial = create_trial(state=TrialState.RUNNING, params={"x": 1}, distributions={"x": choice}, user_attrs=dict(attrs))
    trial.number, trial.state = number, state
    return trial


def test_whatever_the_order_of_their_steps_two_workers_never_measure_one_point() -> None:
    """Each writes its point, looks for who has started, says that it has started, looks again: all 70 orders."""
    outcomes = set()
    for turns in combinations(range(8), 4):
        attrs: list[dict[str, Any]] = [{}, {}]
        steps = [iter(("point", "look", "start", "look again")) for _ in attrs]
        back = [False, False]
        for turn in range(8):
            me = int(turn in turns)
            step, other = next(steps[me]), attrs[1 - me]
            if back[me]:
                continue
            if step == "point":
                attrs[me][KEY] = "k"
            elif step == "look":
                back[me] = STARTED in other
            elif step == "start":
                attrs[me][STARTED] = True
            else:
                both = [made(number, TrialState.RUNNING, **own) for number, own in enumerate(attrs)]
                back[me] = verdict(me, attrs[me], both, 99) != "take"
            if back[me]:
                attrs[me].clear()
        assert not all(kept is False for kept in back), turns
        outcomes.add(tuple(back))
    assert outcomes >= {(True, False), (False, True)}


def test_whatever_the_order_of_their_steps_what_was_lost_has_the_last_place() -> None:
    """One worker suggests something; others find a dead one's trial, ask for it again, and take that: all 56 orders."""
    outcomes = set()
    for turns in combinations(range(8), 3):
        trials = [made(0, TrialState.RUNNING, **{KEY: "lost", STARTED: True})]
        steps = {"new": iter(("ask", "start", "look")), "again": iter(("fail", "enqueue", "pop", "start", "look"))}
        mine: dict[str, FrozenTrial] = {}
        seen: dict[str, str] = {}
        for turn in range(8):
            who = "new" if turn in turns else "again"
            step = next(steps[who])
            if step == "ask":
                mine[who] = made(len(trials), TrialState.RUNNING, **{KEY: "new"})
                trials.append(mine[who])
            elif step == "fail":
                trials[0].state = TrialState.FAIL
            elif step == "enqueue":
                mine[who] = made(len(trials), TrialState.WAITING, **{RETRY_OF: 0})
                trials.append(mine[who])
            elif step == "pop":
                mine[who].state = TrialState.RUNNING
                mine[who].user_attrs[KEY] = "lost"
            elif step == "start":
                mine[who].user_attrs[STARTED] = True
            else:
                seen[who] = verdict(mine[who].number, mine[who].user_attrs, trials, 1)
                mine[who].state = TrialState.RUNNING if seen[who] == "take" else TrialState.FAIL
        assert seen["new"] == "never", turns
        outcomes.add(seen["again"])
    assert outcomes == {"take", "later"}  # later: while the new one has started and not looked yet


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from([TrialState.RUNNING, TrialState.COMPLETE, TrialState.FAIL]),
            st.sets(st.sampled_from([STARTED, TAKEN, RETRY_OF])),
        ),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_only_what_is_owed_is_asked_for_again_and_it_is_until_it_is_certain(
    drawn: list[tuple[str, TrialState, set[str]]], data: st.DataObject
) -> None:
    trials = [made(n, state, **{KEY: key, **dict.fromkeys(marks, n)}) for n, (key, state, marks) in enumerate(drawn)]
    mine = data.draw(st.sampled_from(trials))
    mine.state = TrialState.RUNNING
    seen = verdict(mine.number, mine.user_attrs, trials, data.draw(st.integers(1, 4)))
    equal = [t for t in trials if t is not mine and t.user_attrs[KEY] == mine.user_attrs[KEY]]
    certain = any(
        t.state == TrialState.COMPLETE or (t.state == TrialState.RUNNING and TAKEN in t.user_attrs) for t in equal
    )
    if RETRY_OF not in mine.user_attrs:
        assert seen in ("take", "never")
    elif not certain:
        assert seen in ("take", "later")
