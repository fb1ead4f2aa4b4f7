"""A run that is killed ends with the weights of one that is not; the control never samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from experiments.training.operator_sft import states, train
from experiments.training.operator_sft.config import Config, Sheets
from experiments.training.policy.weights import reasoner_of

from .support import WEIGHTS

SMALL = Sheets(count=4, drafts=3, spaces=1, lines=((1, 1.0),), thinking=4, least=10)


class Killed(BaseException):
    pass


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "GROUP", 2)
        patch.setattr(train, "GROUP", 2)
        patch.setattr(train, "CHUNK_TOKENS", 2000)
        yield


@pytest.fixture(scope="module")
def whole(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run that nobody kills leaves."""
    return train.run(config(tmp_path_factory.mktemp("whole")))


def config(folder: Path, **changes: object) -> Config:
    return Config(WEIGHTS, folder, **{"turns": 2, "tokens": 3000, "sheets": SMALL, **changes})  # type: ignore[arg-type]


def weights(folder: Path) -> dict[str, object]:
    return dict(reasoner_of(folder).state_dict())


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("updates", [1, 4])
def test_a_killed_run_ends_as_one_that_was_not(
    updates: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not same(whole, WEIGHTS)
    step = train.Optimiser.step
    left = [updates]

    def until(self: train.Optimiser, factor: float) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        step(self, factor)

    monkeypatch.setattr(train.Optimiser, "step", until)
    with pytest.raises(Killed):
        train.run(config(tmp_path / "killed"))
    monkeypatch.setattr(train.Optimiser, "step", step)
    assert same(train.run(config(tmp_path / "killed")), whole)
    assert train.run(config(tmp_path / "killed")) == tmp_path / "killed" / "turn-2"


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
        train.run(config(tmp_path, turns=1))
    train.run(config(tmp_path, turns=1))
    assert asked == [0, 1, 1]


def test_the_control_sees_the_original_mixture_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> list[states.State]:
        raise AssertionError("the control samples nothing")

    monkeypatch.setattr(states, "sample", never)
    assert not same(train.run(config(tmp_path, operator=0.0, turns=1)), WEIGHTS)


def test_states_come_back_as_they_were_written(tmp_path: Path) -> None:
    kept = [states.State("A: make 41 from 13, 7, 4", ("none", "answer: A: é"), (states.Space((1, 0), "A: open"),))]
    states.write(tmp_path / "kept.jsonl", kept)
    assert states.read(tmp_path / "kept.jsonl") == kept


def test_rates_warm_up_and_fall_to_nothing() -> None:
    plan = config(Path("unused"), rate=0.1)
    factors = [train.factor_at(plan, train.Place(step=step, tokens=5 * step)) for step in (0, 59, 100, 1000, 2000)]
    assert factors[0] < factors[1]
    assert factors[1] > factors[2] > factors[3] > factors[4] == 0.0
    assert max(factors) <= 0.1
