"""A run that is killed ends with the weights of one that is not; the control never samples."""

from __future__ import annotations

import random
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

pytest.importorskip("torch")

import torch

from experiments.configuration import ConfigError
from experiments.reasoner.data import Generator
from experiments.reasoner.optimiser import Optimiser
from experiments.training.folder import Folder
from experiments.training.operator_sft import mixture, states, train
from experiments.training.operator_sft.begun import Begun, Place, factor_at
from experiments.training.operator_sft.config import Sheets
from experiments.training.operator_sft.teacher import Teacher
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


def begun(folder: Path, minutes: float | None = None, **changes: Any) -> Begun:
    usual = stage().sheets.model_dump()
    small = stage(**{"turns": 2, "tokens": 3000, "sheets": {**usual, **SMALL}, **changes})
    return Begun(small, "small", 0, WEIGHTS, Folder(folder / "out"), minutes, folder)


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
    step = Optimiser.step
    left = [updates]

    def until(self: Optimiser, factor: float) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        step(self, factor)

    monkeypatch.setattr(Optimiser, "step", until)
    with pytest.raises(Killed):
        train.teach(begun(tmp_path))
    monkeypatch.setattr(Optimiser, "step", step)
    assert train.teach(begun(tmp_path))
    assert same(tmp_path / "out" / "final", whole)
    assert same(tmp_path / "out" / "turn-2", whole)
    kept = runs(tmp_path)
    assert [run.info.status for run in kept] == ["FINISHED"]  # one run, gone on with
    assert {"loss", "tokens", "tokens/distill", "tokens/original", "states/workspaces_right"} <= set(
        kept[0].data.metrics
    )
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


@pytest.mark.parametrize("lacks", ["folder", "tokenizer", "weights", "marks"])
def test_weights_of_another_kind_are_refused_by_name(lacks: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    if lacks != "folder":
        other.mkdir()
        (other / "config.json").write_text('{"model_type": "qwen3"}')
    if lacks == "weights":
        shutil.copy(WEIGHTS / "tokenizer.json", other)
    if lacks == "marks":
        for name in ("config.json", "model.safetensors"):
            shutil.copy(WEIGHTS / name, other)
        text = (WEIGHTS / "tokenizer.json").read_text(encoding="utf-8")
        (other / "tokenizer.json").write_text(text.replace("<think>", "<other>"), encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        train.teach(replace(begun(tmp_path), model=other))
    assert told.value.field == "--model" and "other" in told.value.problem
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("field, tokens", [("thinking", 2100), ("answer", 2100), ("refined", 2100), ("kappa", 2048)])
def test_calls_that_the_model_can_not_read_are_refused_before_anything(field: str, tokens: int, tmp_path: Path) -> None:
    sheets = {**stage().sheets.model_dump(), **SMALL, field: tokens}
    with pytest.raises(ConfigError) as told:
        train.teach(begun(tmp_path, sheets=sheets))
    assert told.value.field.startswith("operator_sft.sheets.")
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_drafts_that_never_come_to_anything_are_told(tmp_path: Path) -> None:
    sheets = {**stage().sheets.model_dump(), **SMALL, "thinking": 1, "least": 1, "answer": 1}
    for _ in range(2):  # and the second time as well
        with pytest.raises(ConfigError) as told:
            train.teach(begun(tmp_path, sheets=sheets))
        assert told.value.field == "operator_sft.sheets"


def test_a_role_without_states_leaves_its_tokens_to_the_mixture() -> None:
    generator = Generator.load(WEIGHTS / "tokenizer.json")
    told = stage(roles={"resume_draft": 1.0}, operator=0.8)
    pool = [states.State(PROBLEM, (draft(),), (states.Space((0,), "A: open"),))]
    examples, counted = mixture.chunk(told, Teacher(generator, told), pool, generator, random.Random(0), 3000)
    assert set(counted) == {"original"} and counted["original"] >= 3000
    assert sum(len(item.ids) for item in examples) == counted["original"]


def test_damaged_states_are_sampled_again_and_a_damaged_checkpoint_is_told(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole.parent, out)
    for each in ("final", "checkpoint.pt", "training.json"):
        shutil.rmtree(out / each) if (out / each).is_dir() else (out / each).unlink()
    shutil.rmtree(out / "states")
    begun(tmp_path).folder.begin(begun(tmp_path).what())
    (out / "states").mkdir()
    (out / "states" / "0-0.jsonl").write_text('{"problem": "A: ma')
    assert train.teach(begun(tmp_path))
    assert same(out / "final", whole)
    shutil.rmtree(out / "final")
    (out / "checkpoint.pt").write_bytes(b"half of one")
    with pytest.raises(ConfigError) as told:
        train.teach(begun(tmp_path))
    assert "checkpoint.pt" in told.value.problem


def test_states_of_an_earlier_turn_that_are_lost_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = states.sample

    def until_the_second_turn(caller: states.Caller, sheets: Sheets, seed: str, number: int) -> list[states.State]:
        if seed.endswith("/1"):
            raise Killed
        return sample(caller, sheets, seed, number)

    monkeypatch.setattr(states, "sample", until_the_second_turn)
    with pytest.raises(Killed):
        train.teach(begun(tmp_path))
    monkeypatch.setattr(states, "sample", sample)
    (tmp_path / "out" / "states" / "0-1.jsonl").unlink()
    with pytest.raises(ConfigError) as told:
        train.teach(begun(tmp_path))
    assert "0-1.jsonl" in told.value.problem


def test_a_run_that_mlflow_has_lost_goes_on_in_a_new_one(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    with monkeypatch.context() as patch:
        patch.setattr(train.time, "monotonic", lambda: float(next(clock)))
        assert not train.teach(begun(tmp_path, minutes=0.2))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert train.teach(replace(begun(tmp_path), root=elsewhere))
    assert [run.info.status for run in runs(elsewhere)] == ["FINISHED"]
    assert same(tmp_path / "out" / "final", whole)


def test_a_chunk_ends_where_its_turn_does(tmp_path: Path) -> None:
    assert train.teach(begun(tmp_path, tokens=1, turns=2))
    (run,) = runs(tmp_path)
    assert 2 <= run.data.metrics["tokens"] < 6 * 800  # an example of each kind a turn, and no more


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
    assert stat.S_IMODE((whole / "model.safetensors").stat().st_mode) == 0o644
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
    factors = [factor_at(plan, Place(step=step, tokens=5 * step)) for step in (0, 59, 100, 1000, 2000)]
    assert factors[0] < factors[1]
    assert factors[1] > factors[2] > factors[3] > factors[4] == 0.0
    assert max(factors) <= 0.1


@pytest.mark.parametrize(
    ("can", "kept"),
    [({"avx2": True}, "float32"), ({"avx512_bf16": True}, "bfloat16"), ({"amx_tile": True}, "bfloat16")],
)
def test_products_are_in_the_precision_that_the_cpu_is_fast_in(
    can: dict[str, bool], kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    run = begun(tmp_path, minutes=1e-9)
    assert not train.teach(run)
    assert run.folder.notes()["products"] == kept
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": kept == "float32"})
    assert not train.teach(run)  # goes on elsewhere: in the precision it was begun in
    assert run.folder.notes()["products"] == kept
