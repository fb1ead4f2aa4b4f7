"""A study resumes what was lost, pays nothing twice, and refuses to become another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from search_support import held_elsewhere

from optimize.objectives.front import Point
from optimize.objectives.racing import Scores
from optimize.space.fitting import make_space
from optimize.space.sampling import sampler_seed
from optimize.study.fingerprint import changes
from optimize.study.state import JOURNAL, StateDir, default_name
from optimize.study.storages import open_storage
from optimize.study.study import Study
from pdr_dspy.budget import parse_budget
from pdr_dspy.errors import InputError

SPACE = make_space(parse_budget("tokens=16k"), 2048)
MADE_FOR = {"budget": "tokens=16k", "data": {"spec": "worksheets", "contents": "abc"}, "space": SPACE.fingerprint()}

Opener = Callable[..., Study]


@pytest.fixture
def reopen(tmp_path: Path) -> Opener:
    """Opens the same study again, as a new process would."""

    def again(fingerprint: dict[str, Any] = MADE_FOR, *, owner: str = "here", url: str | None = None) -> Study:
        return Study(open_storage(url, tmp_path), "s", SPACE, fingerprint, seed=0, owner=owner)

    return again


def finish(study: Study, count: int) -> list[str]:
    """Ask and tell `count` trials; their keys."""
    keys = []
    for i in range(count):
        suggestion = study.ask()
        keys.append(suggestion.candidate.key)
        if suggestion.copy_of is not None:
            study.tell_copy(suggestion, suggestion.copy_of)
        else:
            study.tell(suggestion, Point(0.1 + i / 100, 1.0 + i), overrun=-1.0, attrs={})
    return keys


def test_baselines_come_first_and_once(reopen: Opener) -> None:
    study = reopen()
    asked = [study.ask() for _ in range(7)]
    assert [s.baseline for s in asked] == ["long_cot", "sr", "majority", None, None, None, None]
    assert [s.candidate.workflow.name for s in asked[3:6]] == ["8-1-summary", "8-1-summary", "16-4-1-summary"]
    assert [s.candidate.params["cap"] for s in asked[3:6]] == [256, 512, 256]
    assert len(reopen(owner="elsewhere").trials) == 7


def test_a_resume_does_not_repeat_suggestions(reopen: Opener) -> None:
    first = finish(reopen(), 6)[3:]
    second = finish(reopen(), 3)
    assert first != second
    assert len({sampler_seed(0, n) for n in range(100)}) == 100


def test_what_a_dead_process_left_is_asked_again_first(reopen: Opener) -> None:
    study = reopen()
    finish(study, 4)
    lost = [study.ask() for _ in range(2)]
    again = reopen()
    found = [again.ask() for _ in range(2)]
    assert [s.candidate for s in found] == [s.candidate for s in lost]
    assert [t.state.name for t in again.trials if t.number in {s.number for s in lost}] == ["FAIL", "FAIL"]


def test_a_lost_baseline_stays_a_baseline(reopen: Opener) -> None:
    for _ in range(3):  # killed again and again before any is done
        study = reopen()
        asked = [study.ask() for _ in range(len(SPACE.starters()))]
        assert {s.baseline: s.candidate for s in asked if s.baseline} == SPACE.baselines()


def test_trials_of_another_owner_are_left_alone(reopen: Opener) -> None:
    running = reopen().ask()
    assert reopen(owner="elsewhere").trials[running.number].state.name == "RUNNING"


def test_dropped_trials(reopen: Opener) -> None:
    study = reopen()
    finish(study, 5)
    kept, gone = study.ask(), study.ask()
    study.drop(kept, interrupted=True)
    study.drop(gone, interrupted=False)
    again = reopen()
    assert again.ask().candidate == kept.candidate
    assert again.ask().candidate != gone.candidate


def test_an_equal_point_is_answered_from_the_first(reopen: Opener) -> None:
    study = reopen()
    first = study.ask()
    study.tell(first, Point(0.4, 2.0), overrun=-10.0, attrs={})
    study._enqueue(first.candidate.params, None)
    while (copy := study.ask()).candidate.key != first.candidate.key:
        assert not study.in_flight(copy)
        study.drop(copy, interrupted=False)
    assert copy.copy_of is not None
    study.tell_copy(copy, copy.copy_of)
    assert [t.number for t in study.complete] == [first.number]
    assert list(study.trials[copy.number].values) == [0.4, 2.0]


def test_an_equal_point_in_flight_is_seen(reopen: Opener) -> None:
    study = reopen()
    first = study.ask()
    study._enqueue(first.candidate.params, None)
    while (copy := study.ask()).candidate.key != first.candidate.key:
        pass
    assert copy.copy_of is None and study.in_flight(copy)


def test_overrun_budgets_are_infeasible(reopen: Opener) -> None:
    study = reopen()
    a, b = study.ask(), study.ask()
    study.tell(a, Point(0.9, 1.0), overrun=1.0, attrs={})
    study.tell(b, Point(0.1, 1.0), overrun=0.0, attrs={})
    assert [t.number for t in study.feasible] == [b.number]


def test_what_was_given_up_is_on_no_front_and_nobody_is_raced_against_it(reopen: Opener) -> None:
    study = reopen()
    whole, part = study.ask(), study.ask()
    study.tell(whole, Point(0.5, 1.0), overrun=-1.0, attrs={}, scores=Scores((1.0, 0.0), ((1.0, None),)))
    study.tell(part, Point(0.9, 0.5), overrun=-1.0, attrs={}, scores=Scores((1.0,), ((0.5,),)), given_up=True)
    again = reopen(owner="elsewhere")
    assert [t.number for t in again.feasible] == [whole.number] and len(again.complete) == 2
    assert again.rivals == {whole.number: Scores((1.0, 0.0), ((1.0, None),))}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"budget": "tokens=8k"}, "budget was tokens=16k, now tokens=8k"),
        ({"data": {"spec": "worksheets", "contents": "xyz"}}, "data.contents was abc, now xyz"),
        ({"space": {**SPACE.fingerprint(), "k": [1, 2]}}, "space.k was [1, 2, 4], now [1, 2]"),
        ({"load": 8}, "load was null, now 8"),
    ],
)
def test_a_study_for_something_else_is_refused(reopen: Opener, change: dict[str, Any], told: str) -> None:
    reopen()
    with pytest.raises(InputError, match="--study") as caught:
        reopen({**MADE_FOR, **change})
    assert told in caught.value.problem and caught.value.field == "study"
    reopen()  # and the refusal changed nothing


def test_every_change_is_named() -> None:
    assert changes({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 2, "b": {"c": 2, "d": 4}, "e": 5}) == [
        "a was 1, now 2",
        "b.d was 3, now 4",
        "e was null, now 5",
    ]
    assert changes(MADE_FOR, MADE_FOR) == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ({}, {"grader": "integer"}, "the file differs, or the grader"),
        ({"grader": "math"}, {"grader": "math"}, "the file's problems or answers differ"),
        ({"grader": "math"}, {"grader": "integer"}, "the grader is another one"),
    ],
)
def test_other_contents_are_told_in_words(reopen: Opener, old: dict[str, str], new: dict[str, str], why: str) -> None:
    reopen({**MADE_FOR, "data": {"spec": "x", "contents": "abc", **old}})
    with pytest.raises(InputError) as caught:
        reopen({**MADE_FOR, "data": {"spec": "x", "contents": "xyz", **new}})
    assert why in caught.value.problem
    reopen({**MADE_FOR, "data": {"spec": "x", "contents": "abc", **old, **({} if old else new)}})


def test_another_storage(reopen: Opener, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    finish(reopen(url=url), 3)
    assert len(reopen(url=url).complete) == 3


def test_a_storage_that_cannot_be_opened_keeps_its_password(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_storage("nonsense://user:hunter2@host/x", tmp_path)
    assert caught.value.field == "storage" and "hunter2" not in str(caught.value)


def test_a_torn_journal_and_a_stale_lock_do_not_block(tmp_path: Path) -> None:
    def opened() -> Study:
        return Study(open_storage(None, tmp_path), "s", SPACE, MADE_FOR, seed=0, owner="here")

    finish(opened(), 4)
    journal = tmp_path / JOURNAL
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "wor')
    Path(f"{journal}.lock").touch()
    state = StateDir(tmp_path)
    assert len(opened().complete) == 4
    state.close()


def test_one_process_at_a_time_and_a_dead_one_never_blocks(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, shared=False), pytest.raises(InputError, match="another process"):
        StateDir(tmp_path)
    StateDir(tmp_path).close()


def test_names_are_readable() -> None:
    assert default_name("tokens=16k", "aime24", "Qwen/Qwen3-8B") == "tokens-16k_aime24_Qwen3-8B"
    assert default_name("tokens=16k,seconds=30", "a/my data.jsonl", "m") == "tokens-16k-seconds-30_my-data_m"
    assert default_name("tokens=16k", "worksheets:lines=6", "m") == "tokens-16k_worksheets-lines-6_m"
