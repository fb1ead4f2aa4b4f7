"""Operator SFT: sample states from the current weights, train on what the teacher makes of them, and again.

One process of one thread. Everything drawn depends on the seed and on the place in the run alone, and a checkpoint is
written where a chunk of examples ends: a killed run goes on from there and ends with the same weights.
"""

from __future__ import annotations

import copy
import json
import os
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from experiments.reasoner.data import Example, Generator
from experiments.reasoner.model import Reasoner
from experiments.reasoner.muon import Muon
from experiments.reasoner.train import ADAM_RATE, MUON_RATE, WARM_UP, batches, weighted_loss
from experiments.training.operator_sft import states
from experiments.training.operator_sft.config import Config
from experiments.training.operator_sft.states import GROUP, Caller, State
from experiments.training.operator_sft.teacher import Teacher
from experiments.training.operator_sft.weights import write
from experiments.training.policy.weights import reasoner_of

CHUNK_TOKENS = 200_000
MISSES = 1000
"""States in a row that give no example of a role, after which its tokens go to the next role."""

MATRICES = {"qkv": 3, "gate_up": 2, "out": 1, "down": 1}


@dataclass
class Place:
    """Where a run is.

    Attributes:
        turn: Turns that are done.
        chunk: Chunks of examples that are done, over all turns.
        step: Updates.
        tokens: Trained tokens.
        log: What was printed.
    """

    turn: int = 0
    chunk: int = 0
    step: int = 0
    tokens: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)


class Optimiser:
    """Muon for the hidden matrices and AdamW for the rest, as in the training from nothing."""

    def __init__(self, model: Reasoner) -> None:
        named = [(name.rsplit(".", 1)[-1], parameter) for name, parameter in model.named_parameters()]
        self.muon = Muon([(parameter, MATRICES[name]) for name, parameter in named if name in MATRICES])
        others = [parameter for name, parameter in named if name not in MATRICES]
        self.adam = torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)

    def step(self, factor: float) -> None:
        """One update from the gradients, at `factor` of the original rates."""
        self.muon.step(MUON_RATE * factor)
        for group in self.adam.param_groups:
            group["lr"] = ADAM_RATE * factor
        self.adam.step()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"muon": self.muon.buffers, "adam": self.adam.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.muon.buffers = state["muon"]
        self.adam.load_state_dict(state["adam"])


class Average:
    """The running mean of a model's weights: what samples, and what a turn leaves.

    While the rates are high the weights of the moment are noisy: their drafts solved 4 points of lines less.

    Args:
        model: Where it begins.
        keep: Share of the mean that an update leaves.
    """

    def __init__(self, model: Reasoner, keep: float) -> None:
        self.model = copy.deepcopy(model)
        self.keep = keep

    @torch.no_grad()
    def step(self, model: Reasoner) -> None:
        """Takes one more update's weights in."""
        for mean, parameter in zip(self.model.parameters(), model.parameters(), strict=True):
            mean.lerp_(parameter, 1 - self.keep)


def factor_at(config: Config, place: Place) -> float:
    """The factor on the learning rates: a short warm-up, then linearly to 0 at the end of the last turn."""
    left = max(0.0, 1.0 - place.tokens / (config.turns * config.tokens))
    return config.rate * min(1.0, (place.step + 1) / WARM_UP) * left


def run(config: Config) -> Path:
    """Trains, or goes on where a killed run stopped.

    Returns:
        A Hugging Face folder, from which `experiments.reasoner.export` makes the OpenVINO files.
    """
    torch.set_num_threads(1)
    config.folder.mkdir(parents=True, exist_ok=True)
    (config.folder / "config.json").write_text(json.dumps(asdict(config), indent=2, default=str) + "\n")
    generator = Generator.load(config.weights / "tokenizer.json")
    model = reasoner_of(config.weights)
    optimiser, average, place = Optimiser(model), Average(model, config.average), Place()
    checkpoint = config.folder / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=False)
        model.load_state_dict(saved["model"])
        optimiser.load(saved["optimiser"])
        average.model.load_state_dict(saved["average"])
        place = Place(**saved["place"])
    while place.turn < config.turns:
        pool = _pool(config, Caller(average.model, generator), place.turn) if config.operator else []
        _turn(config, model, optimiser, average, place, pool, generator)
        write(average.model, config.weights, config.folder / f"turn-{place.turn + 1}")
        place.turn += 1
        _save(checkpoint, model, optimiser, average, place)
    return config.folder / f"turn-{config.turns}"


def _pool(config: Config, caller: Caller, turn: int) -> list[State]:
    """States of this turn, and of those before it (their drafts are hardly older)."""
    folder = config.folder / "states"
    folder.mkdir(exist_ok=True)
    began = time.monotonic()
    for number in range(-(-config.sheets.count // GROUP)):
        path = folder / f"{turn}-{number}.jsonl"
        if not path.exists():
            states.write(path, states.sample(caller, config.sheets, f"{config.seed}/{turn}", number))
            print(f"turn {turn + 1}: {(number + 1) * GROUP} worksheets, {time.monotonic() - began:.0f} s", flush=True)
    return [state for path in sorted(folder.glob("*.jsonl")) for state in states.read(path)]


def _turn(
    config: Config,
    model: Reasoner,
    optimiser: Optimiser,
    average: Average,
    place: Place,
    pool: list[State],
    generator: Generator,
) -> None:
    teacher = Teacher(generator, config)
    parameters = list(model.parameters())
    while place.tokens < (place.turn + 1) * config.tokens:
        rng = random.Random(f"{config.seed}/{place.chunk}")
        began, losses, before = time.monotonic(), [], place.tokens
        for batch in batches(chunk(config, teacher, pool, generator, rng), rng):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = weighted_loss(model, batch)
            for parameter in parameters:
                parameter.grad = None
            loss.backward()
            optimiser.step(factor_at(config, place))
            average.step(model)
            place.step += 1
            place.tokens += sum(len(item.ids) for item in batch)
            losses.append(float(loss.detach()))
        place.chunk += 1
        entry = {
            "turn": place.turn + 1,
            "step": place.step,
            "tokens": place.tokens,
            "loss": round(sum(losses) / len(losses), 4),
            "factor": round(factor_at(config, place), 4),
            "tokens_a_second": round((place.tokens - before) / (time.monotonic() - began)),
        }
        place.log.append(entry)
        print(json.dumps(entry), flush=True)
        _save(config.folder / "checkpoint.pt", model, optimiser, average, place)


def chunk(
    config: Config, teacher: Teacher, pool: list[State], generator: Generator, rng: random.Random
) -> list[Example]:
    """Examples of `CHUNK_TOKENS` tokens: each role's share on states of the pool, the rest of the original mixture."""
    found: list[Example] = []
    over = 0.0
    for role, share in config.roles if config.operator else ():
        left, misses = CHUNK_TOKENS * config.operator * share + over, 0
        while left > 0 and misses < MISSES:
            made = teacher.example(role, rng.choice(pool), rng)
            if made is None:
                misses += 1
                continue
            misses = 0
            found.append(made)
            left -= len(made.ids)
        over = max(0.0, left)
    left = CHUNK_TOKENS * (1 - config.operator)
    while left > 0:
        found.append(generator.example(rng))
        left -= len(found[-1].ids)
    return found


def _save(path: Path, model: Reasoner, optimiser: Optimiser, average: Average, place: Place) -> None:
    scratch = path.with_suffix(".tmp")
    record = {"model": model.state_dict(), "average": average.model.state_dict()}
    torch.save({**record, "optimiser": optimiser.state(), "place": asdict(place)}, scratch)
    os.replace(scratch, path)
