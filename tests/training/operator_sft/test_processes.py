"""Two processes train as one does, up to the rounding of sums, and go on after one of them has ended."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from experiments.training.folder import Folder
from experiments.training.operator_sft import train
from experiments.training.operator_sft.begun import Begun
from experiments.training.operator_sft.processes import Processes, started
from experiments.training.policy.weights import reasoner_of

from .support import WEIGHTS, stage

# Two groups of worksheets, one of which each process samples.
SHEETS = {"count": 129, "drafts": 2, "spaces": 1, "lines": {1: 1.0}, "thinking": 4, "least": 10}


@pytest.fixture(autouse=True)
def tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def begun(folder: Path) -> Begun:
    folder.mkdir(exist_ok=True)
    sheets = {**stage().sheets.model_dump(), **SHEETS}
    small = stage(turns=1, tokens=6000, sheets=sheets)
    return Begun(small, "two", 0, WEIGHTS, Folder(folder / "out"), None, folder)


def states(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "out" / "states").iterdir())}


def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert train.teach(begun(one))
    assert train.teach(begun(two), processes=2)
    assert sorted(states(two)) == ["0-0.jsonl", "0-1.jsonl"]
    assert states(one) == states(two)  # whoever sampled them
    before, first, second = (
        reasoner_of(each).state_dict() for each in (WEIGHTS, *(f / "out/final" for f in (one, two)))
    )
    moved = sum(float((first[name] - before[name]).square().sum()) for name in first) ** 0.5
    apart = sum(float((first[name] - second[name]).square().sum()) for name in first) ** 0.5
    assert moved > 0
    assert apart < 0.05 * moved


def gone(processes: Processes) -> None:
    assert not processes.first
    processes.wait()
    raise SystemExit(3)


def test_the_end_of_another_process_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a process of this training has ended"), started(2, tmp_path, gone) as both:
        both.wait()
        both.summed([torch.zeros(3)], torch.zeros(()))
    assert not (tmp_path / "rendezvous").exists()


def doubled(processes: Processes) -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    assert processes.summed([parameter, torch.zeros(1)], torch.tensor(0.25)) == 0.75
    assert processes.agree(False) is True


def test_gradients_and_losses_are_summed_and_the_first_decides(tmp_path: Path) -> None:
    parameter, unused = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))
    with started(2, tmp_path, doubled) as both:
        parameter.grad = torch.tensor([10.0, 20.0])
        assert both.summed([parameter, unused], torch.tensor(0.5)) == 0.75
        assert both.agree(True) is True
    assert parameter.grad.tolist() == [11.0, 22.0]
    assert unused.grad is not None and unused.grad.tolist() == [0.0]
