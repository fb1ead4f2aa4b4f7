"""A run that is killed ends with the weights of one that is not; the control never samples."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

pytest.importorskip("torch")

import torch

from experiments.configuration import ConfigError
from experiments.training.folder import Folder
from experiments.training.operator_sft import mixture, optimiser, states, train
from experiments.training.policy.weights import reasoner_of
from pdr_dspy.embedded.model import read_model

from .support import BENT, PROBLEM, RIGHT, WEIGHTS, draft, stage

SMALL = {"count": 4, "drafts": 3, "spaces": 1, "lines": {1: 1.0}, "thinking": 4, "least": 10}


class Killed(BaseException):
    pass


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "GROUP", 2)
        patch.setattr(train, "GROUP", 2)
        patch.setattr(mixture, "CHUNK_TOKENS", 2000)
        yield


@pytest.fixture(autouse=True)
def tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def whole(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run that nobody kills leaves."""
    folder = tmp_path_factory.mktemp("whole")
    assert train.teach(begun(folder))
    return folder / "out" / "final"


def begun(folder: Path, minutes: float | None = None, **changes: Any) -> train.Begun:
    usual = stage().sheets.model_dump()
    small = stage(**{"turns": 2, "tokens": 3000, "sheets": {**usual, **SMALL}, **changes})
    return train.Begun(small, "small", 0, WEIGHTS, Folder(folder / "out"), minutes, folder)


def same(one: Path, other: Path) -> bool:
    first, second = (reasoner_of(folder).state_dict() for folder in (one, other))
    return all(torch.equal(first[name], second[name]) for name in first)


def runs(folder: Path) -> list[Any]:
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    found = client.get_experiment_by_name("pdr-dspy-training")
    return list(client.search_runs([found.experiment_id]))


@pytest.mark.parametrize("updates", [1, 4])
def test_a_killed_run_ends_as_one_that_was_not(
    updates: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not same(whole, WEIGHTS)
    step = optimiser.Optimiser.step
    left = [updates]

    def until(self: optimiser.Optimiser, factor: float) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        step(self, factor)

    monkeypatch.setattr(optimiser.Optimiser, "step", until)
    with pytest.raises(Killed):
        train.teach(begun(tmp_path))
    monkeypatch.setattr(optimiser.Optimiser, "step", step)
    assert train.teach(begun(tmp_path))
    assert same(tmp_path / "out" / "final", whole)
    assert same(tmp_path / "out" / "turn-2", whole)
    kept = runs(tmp_path)
    assert [run.info.status for run in kept] == ["FINISHED"]  # one run, gone on with
    assert {"loss", "tokens", "states/workspaces_right"} <= set(kept[0].data.metrics)
    assert kept[0].data.metrics["tokens"] >= 6000


def test_minutes_end_a_run_which_goes_on_to_the_same_end(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def clock() -> float:
        calls.append(0)
        return float(len(calls))

    ended = []
    monkeypatch.setattr(train.time, "monotonic", clock)  # a second each time it is asked
    while not ended or not ended[-1]:
        ended.append(train.teach(begun(tmp_path, minutes=0.15)))
        assert len(ended) < 20
        assert [run.info.status for run in runs(tmp_path)] == ["FINISHED" if ended[-1] else "KILLED"]
    assert len(ended) > 1
    assert same(tmp_path / "out" / "final", whole)


def test_another_training_is_not_mixed_with_what_was_begun(tmp_path: Path) -> None:
    states_kept = tmp_path / "out" / "states"
    begun(tmp_path).folder.begin(begun(tmp_path).what())
    states_kept.mkdir()
    with pytest.raises(ConfigError) as told:
        train.teach(begun(tmp_path, rate=0.2))
    assert "rate" in str(told.value) and "--output" in str(told.value)


def test_weights_of_another_kind_are_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(WEIGHTS / "tokenizer.json", other)
    (other / "config.json").write_text('{"model_type": "qwen3"}')
    with pytest.raises(ConfigError) as told:
        train.teach(replace(begun(tmp_path), model=other))
    assert told.value.field == "--model"


def test_states_killed_between_groups_are_not_sampled_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    sample = states.sample

    def counted(*arguments: object) -> list[states.State]:
        asked.append(int(str(arguments[-1])))
        if len(asked) == 2:
            raise Killed
        return sample(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(states, "sample", counted)
    with pytest.raises(Killed):
        train.teach(begun(tmp_path, turns=1))
    train.teach(begun(tmp_path, turns=1))
    assert asked == [0, 1, 1]


def test_the_control_sees_the_original_mixture_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> list[states.State]:
        raise AssertionError("the control samples nothing")

    monkeypatch.setattr(states, "sample", never)
    assert train.teach(begun(tmp_path, operator=0.0, turns=1))
    assert not same(tmp_path / "out" / "final", WEIGHTS)


def test_the_result_is_what_the_embedded_server_loads(whole: Path) -> None:
    files = read_model(whole)
    assert files.card == read_model(WEIGHTS).card
    assert files.revision != read_model(WEIGHTS).revision


def test_states_come_back_as_they_were_written(tmp_path: Path) -> None:
    kept = [
        states.State(
            "A: make 41 from 13, 7, 4", ("none", "answer: A: é"), (states.Space((1, 0), "A: open"),), ((5, 6), ())
        )
    ]
    states.write(tmp_path / "kept.jsonl", kept)
    assert states.read(tmp_path / "kept.jsonl") == kept


def test_a_summary_counts_lines() -> None:
    spaces = (states.Space((0,), f"{RIGHT['A']}\n{BENT}"), states.Space((0,), "A: open"))
    kept = [states.State(PROBLEM, (draft(RIGHT["A"], RIGHT["B"]), draft(BENT)), spaces)]
    assert states.summary(kept) == {
        "states/drafts_right": pytest.approx(1 / 3),
        "states/workspaces_right": pytest.approx(1 / 6),
        "states/workspaces_false": pytest.approx(1 / 6),
    }
    assert states.summary([]) == {}


def test_rates_warm_up_and_fall_to_nothing() -> None:
    plan = stage(rate=0.1, turns=2, tokens=3000)
    factors = [train.factor_at(plan, train.Place(step=step, tokens=5 * step)) for step in (0, 59, 100, 1000, 2000)]
    assert factors[0] < factors[1]
    assert factors[1] > factors[2] > factors[3] > factors[4] == 0.0
    assert max(factors) <= 0.1
