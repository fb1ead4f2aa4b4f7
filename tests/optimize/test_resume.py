"""A search that is killed again and again asks for what it would have asked for undisturbed, and nothing twice."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from optimize.objectives.front import Point
from optimize.space.fitting import make_space
from optimize.study.stale_trials import KEY, RETRY_OF
from optimize.study.storages import open_storage
from optimize.study.study import Study
from pdr_dspy.budget import parse_budget

SPACE = make_space(parse_budget("tokens=16k"), 2048)
TRIALS = 14


class Killed(Exception):
    """Stands for the end of the process."""


def opened(directory: Path) -> Study:
    return Study(open_storage(None, directory), "s", SPACE, {"space": SPACE.fingerprint()}, seed=3, owner="here")


def value(key: str) -> Point:
    dice = random.Random(key)
    return Point(dice.random(), 1 + dice.random())


def lived(study: Study, steps: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Go on until `steps` writes to the journal were made; True when the search has come to its end."""
    append, left = study._storage._backend.append_logs, [steps]  # type: ignore[attr-defined]

    def counted(logs: Any) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        append(logs)

    monkeypatch.setattr(study._storage._backend, "append_logs", counted)  # type: ignore[attr-defined]
    try:
        while len(study.complete) < TRIALS:
            suggestion = study.ask()
            if suggestion.copy_of is not None:
                study.tell_copy(suggestion, suggestion.copy_of)
            else:
                study.tell(suggestion, value(suggestion.candidate.key), overrun=-1.0, attrs={})
    except Killed:
        return False
    return True


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_any_write_change_no_suggestion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    calm = opened(tmp_path / "calm")
    assert lived(calm, 10**6, monkeypatch)
    dice, kills = random.Random(seed), 0
    while not lived(opened(tmp_path / "killed"), dice.randint(0, 60), monkeypatch):
        kills += 1
    killed = opened(tmp_path / "killed")
    assert kills > 2
    assert [t.user_attrs[KEY] for t in killed.complete] == [t.user_attrs[KEY] for t in calm.complete]
    assert [t.params for t in killed.complete] == [t.params for t in calm.complete]
    assert len({t.user_attrs[KEY] for t in killed.complete}) == TRIALS
    # Every trial that was lost while it was measured was asked for again, once.
    retried = [t.user_attrs[RETRY_OF] for t in killed.trials if RETRY_OF in t.user_attrs]
    assert len(retried) == len(set(retried)) and set(retried) <= set(killed.lost)


def test_a_starter_lost_in_the_middle_of_its_choices_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for steps in range(1, 40, 4):
        study = opened(tmp_path / str(steps))
        lived(study, steps, monkeypatch)
        again = opened(tmp_path / str(steps))
        found = {s.baseline: s.candidate for s in (again.ask() for _ in SPACE.starters()) if s.baseline}
        done = {t.user_attrs["start"] for t in again.complete}
        assert found == {name: c for name, c in SPACE.baselines().items() if name not in done}
