"""Operator SFT: sample states from the current weights, train on what the teacher makes of them, and again.

Everything drawn depends on the seed and on the place in the run alone, and a checkpoint is written where a chunk of
examples ends: a killed run goes on from there and ends with the same weights (with as many processes).

    training.json       what is trained, the MLflow run, how far it has come
    states/             worksheets with drafts and workspaces, JSON lines
    checkpoint.pt       weights, their running mean, the optimiser, the place in the run
    turn-1/, final/     the running mean as folders that vLLM, transformers and the embedded server load
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from experiments.configuration import ConfigError
from experiments.reasoner.data import Example
from experiments.reasoner.export import write_hf
from experiments.reasoner.optimiser import Optimiser
from experiments.reasoner.train import batches, weighted_loss
from experiments.training.checkpoints import save_folder
from experiments.training.curves import Curves
from experiments.training.operator_sft import states
from experiments.training.operator_sft.average import Average
from experiments.training.operator_sft.begun import Begun, Place, factor_at, products
from experiments.training.operator_sft.checks import fits, loaded
from experiments.training.operator_sft.mixture import CHUNK_TOKENS, chunk
from experiments.training.operator_sft.processes import Processes, started
from experiments.training.operator_sft.states import GROUP, Caller, State
from experiments.training.operator_sft.teacher import Teacher
from pdr_dspy.errors import DataError


class _TimeIsUp(Exception):
    """The run's minutes are over."""


def teach(begun: Begun, processes: int = 1) -> bool:
    """Train, or go on where a run stopped. True: it has ended, and `folder.final` holds the model.

    Args:
        begun: The run.
        processes: Processes of one thread that share the sampling and each batch. More than a batch has rows of the
            longest examples (two) gain little.

    Raises:
        ConfigError: the model can't be trained, or the folder holds another training.
    """
    torch.set_num_threads(1)
    with begun.folder.held():
        if begun.folder.ended(begun.what(), begun.stage.turns):
            return True
        run = _Run(begun)
        with started(processes, begun.folder.path, _joined, begun) as run.processes, run.tracked():
            return run.trained()


def _joined(processes: Processes, begun: Begun) -> None:
    run = _Run(begun)
    run.processes = processes
    run.trained()


class _Run:
    """The state of a run in this process.

    Attributes:
        processes: Those that train it.
    """

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self.processes = Processes()
        self._curves: Curves | None = None
        stage = begun.stage
        self._until = None if begun.minutes is None else time.monotonic() + 60 * begun.minutes
        self._checkpoint = begun.folder.path / "checkpoint.pt"
        self._generator, self._model = loaded(begun.model)
        fits(stage.sheets, Caller(self._model, self._generator))
        self._optimiser, self._average = Optimiser(self._model), Average(self._model, stage.average)
        self._place = Place()
        if self._checkpoint.exists():
            try:
                saved = torch.load(self._checkpoint, weights_only=True)
                self._model.load_state_dict(saved["model"])
                self._optimiser.load(saved["optimiser"])
                self._average.model.load_state_dict(saved["average"])
                self._place = Place(**saved["place"])
            except Exception as error:  # torch has a kind of its own for every damage
                said = " ".join(str(error).split())[:200] or type(error).__name__
                mend = "Remove it: the same command then trains anew, from the states that are there"
                raise ConfigError("--output", f"{self._checkpoint} can't be read ({said})", mend) from None
        self._teacher = Teacher(self._generator, stage)
        self._notes = begun.folder.begin(begun.what())
        if "products" not in self._notes:  # kept, so that a run that goes on elsewhere ends with the same weights
            begun.folder.note(products=products())
            self._notes = begun.folder.notes()

    @contextmanager
    def tracked(self) -> Iterator[None]:
        """Inside, the run's curves are kept."""
        begun, status = self._begun, "FAILED"
        curves = self._curves = Curves(begun.root, begun.name, begun.what(), self._notes.get("mlflow_run"))
        begun.folder.note(mlflow_run=curves.run)
        try:
            yield
            status = "FINISHED" if self._place.turn == begun.stage.turns else "KILLED"
        except (KeyboardInterrupt, SystemExit):
            status = "KILLED"
            raise
        finally:
            curves.ended(status)

    def trained(self) -> bool:
        """Train to the end (True), or until the minutes are over."""
        begun, place = self._begun, self._place
        try:
            while place.turn < begun.stage.turns:
                self._turn(self._pool() if begun.stage.operator else [])
                if self.processes.first:
                    self._write(begun.folder.path / f"turn-{place.turn + 1}")
                place.turn += 1
                self._save()
        except _TimeIsUp:
            return False
        if self.processes.first:
            self._write(begun.folder.final)
            begun.folder.note(ended=begun.stage.turns)
        return True

    def _write(self, target: Path) -> None:
        """The running mean as a model's folder."""
        origin = self._begun.model
        save_folder(lambda folder: write_hf(self._average.model, origin, folder), origin, target)

    def _in_time(self) -> None:
        if self.processes.agree(self._until is not None and time.monotonic() >= self._until):
            raise _TimeIsUp

    def _pool(self) -> list[State]:
        """States of this turn, and of those before it (their drafts are hardly older)."""
        begun, turn = self._begun, self._place.turn
        sheets = begun.stage.sheets
        caller = Caller(self._average.model, self._generator)
        folder = begun.folder.path / "states"
        folder.mkdir(exist_ok=True)
        began = time.monotonic()
        paths = [folder / f"{turn}-{number}.jsonl" for number in range(states.groups(sheets))]
        left = [number for number, path in enumerate(paths) if _read(path) is None]
        self.processes.wait()  # all have looked before any writes
        for start in range(0, len(left), self.processes.size):
            self._in_time()
            for number in left[start : start + self.processes.size][self.processes.rank :][:1]:
                states.write(paths[number], states.sample(caller, sheets, f"{begun.seed}/{turn}", number))
                done = f"{min(GROUP, sheets.count - number * GROUP)} of {sheets.count} worksheets sampled"
                print(f"turn {turn + 1}/{begun.stage.turns}  {done}  {time.monotonic() - began:.0f} s", flush=True)
        self.processes.wait()
        pool = [state for path in paths for state in states.read(path)]
        if not pool:
            problem = f"none of {sheets.count} worksheets has two drafts that can be read"
            raise ConfigError("operator_sft.sheets", problem, "Give drafts more tokens (thinking, answer)")
        if self.processes.first:
            said = states.summary(pool)
            self._log(said)
            print("  ".join([f"turn {turn + 1}/{begun.stage.turns}", *_shown(said)]), flush=True)
        return self._earlier(folder) + pool

    def _earlier(self, folder: Path) -> list[State]:
        """The states of the turns that are done."""
        found: list[State] = []
        for turn in range(self._place.turn):
            for number in range(states.groups(self._begun.stage.sheets)):
                path = folder / f"{turn}-{number}.jsonl"
                kept = _read(path)
                if kept is None:  # the weights that drew them are gone
                    mend = "Put it back, or begin anew in another folder"
                    raise ConfigError("--output", f"{path} is not whole, and can't be sampled again", mend)
                found += kept
        return found

    def _turn(self, pool: list[State]) -> None:
        stage, place = self._begun.stage, self._place
        parameters = list(self._model.parameters())
        while place.tokens < (place.turn + 1) * stage.tokens:
            self._in_time()
            rng = random.Random(f"{self._begun.seed}/{place.chunk}")
            began, losses, before = time.monotonic(), [], place.tokens
            most = min(CHUNK_TOKENS, (place.turn + 1) * stage.tokens - place.tokens)
            examples, counted = chunk(stage, self._teacher, pool, self._generator, rng, most)
            bar = None if self.processes.first else True  # shown on a terminal, by one
            for batch in tqdm(batches(examples, rng), desc="training", unit=" updates", leave=False, disable=bar):
                for parameter in parameters:
                    parameter.grad = None
                losses.append(self.processes.summed(parameters, self._backward(batch)))
                self._optimiser.step(factor_at(stage, place))
                self._average.step(self._model)
                place.step += 1
                place.tokens += sum(len(item.ids) for item in batch)
            place.chunk += 1
            numbers = {
                "loss": sum(losses) / len(losses),
                "tokens": float(place.tokens),
                "rate": factor_at(stage, place),
                "tokens_per_second": (place.tokens - before) / (time.monotonic() - began),
                **{f"tokens/{role}": float(count) for role, count in counted.items()},
            }
            self._save()
            if not self.processes.first:
                continue
            self._log(numbers)
            done = f"{place.tokens:,}/{stage.turns * stage.tokens:,} tokens"
            speed = f"{numbers['tokens_per_second']:,.0f} tokens/s"
            print(f"update {place.step}  {done}  loss {numbers['loss']:.4f}  {speed}", flush=True)

    def _backward(self, batch: list[Example]) -> torch.Tensor:
        """The gradient of this process's rows; returns their part of the batch's loss."""
        rows = batch[self.processes.rank :: self.processes.size]
        if not rows:
            return torch.zeros(())
        with self._products():
            loss = weighted_loss(self._model, rows)
        if len(rows) < len(batch):
            loss = loss * (_weight(rows) / _weight(batch))
        loss.backward()
        return loss.detach()

    def _log(self, numbers: dict[str, float]) -> None:
        if self._curves is not None:
            self._curves.log(numbers, self._place.step)

    def _products(self) -> AbstractContextManager[Any]:
        """Matrix products in the run's precision; weights and sums are in float32 either way."""
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._notes["products"] == "bfloat16")

    def _save(self) -> None:
        if not self.processes.first:
            return
        scratch = self._checkpoint.with_suffix(".tmp")
        weights = {"model": self._model.state_dict(), "average": self._average.model.state_dict()}
        torch.save({**weights, "optimiser": self._optimiser.state(), "place": asdict(self._place)}, scratch)
        os.replace(scratch, self._checkpoint)


def _weight(rows: list[Example]) -> float:
    """The weight of the targets of some examples (the first token is no target)."""
    return sum(sum(item.weights[1:]) for item in rows)


def _read(path: Path) -> list[State] | None:
    """The states of a file; None where there is none that is whole."""
    try:
        return states.read(path)
    except (OSError, DataError):
        return None


def _shown(numbers: dict[str, float]) -> list[str]:
    return [f"{name.rpartition('/')[2].replace('_', ' ')} {100 * value:.1f} %" for name, value in numbers.items()]
