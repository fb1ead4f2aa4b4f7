"""Trains the reasoner: a few one-thread processes that average their gradients, for a set number of minutes.

The learning rate follows the wall clock, so a run always ends with its full decay, whatever else the machine does (and
for the same reason two runs are alike but not bit-equal). A run can be killed and resumed.

    python -m experiments.reasoner.train --folder runs/reasoner --minutes 180 --seed 0
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import Tensor
from torch.nn import functional as F

from experiments.reasoner.allocation import keep_freed_pages
from experiments.reasoner.data import Example, Generator
from experiments.reasoner.model import Reasoner, Shape, fourier_embedding
from experiments.reasoner.optimiser import Optimiser
from experiments.reasoner.tokenizer import CLOSE

BATCH_TOKENS = 2560
CHUNK = 1024
WARM_UP, DECAY_FROM, LAST_RATE = 60, 0.4, 0.01
CHECKPOINT_SECONDS, REPORT_STEPS = 120.0, 50


def schedule(step: int, fraction: float) -> float:
    """The factor on the learning rates: a short warm-up, constant, then linear to near zero at fraction 1."""
    decay = 1.0 if fraction < DECAY_FROM else 1.0 - (1.0 - LAST_RATE) * (fraction - DECAY_FROM) / (1.0 - DECAY_FROM)
    return min(1.0, (step + 1) / WARM_UP) * max(LAST_RATE, decay)


def batches(examples: list[Example], rng: random.Random) -> list[list[Example]]:
    """Examples of like length together, at most `BATCH_TOKENS` padded tokens a batch, batches in random order."""
    found: list[list[Example]] = []
    batch: list[Example] = []
    for example in sorted(examples, key=lambda item: len(item.ids)):
        if batch and len(example.ids) * (len(batch) + 1) > BATCH_TOKENS:
            found.append(batch)
            batch = []
        batch.append(example)
    if batch:
        found.append(batch)
    rng.shuffle(found)
    return found


def tensors(batch: list[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and the targets' weights, padded at the right."""
    longest = max(len(item.ids) for item in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    weights = torch.zeros(len(batch), longest)
    for row, item in enumerate(batch):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        weights[row, : len(item.ids)] = torch.tensor(item.weights)
    return ids[:, :-1], ids[:, 1:], weights[:, 1:]


def weighted_loss(model: Reasoner, batch: list[Example]) -> Tensor:
    """Weighted mean cross entropy; scores are computed only where there is weight."""
    inputs, targets, weights = tensors(batch)
    states, _ = model.hidden_states(inputs)
    counted = weights > 0
    losses = F.cross_entropy(model.logits(states[counted]), targets[counted], reduction="none")
    return (losses * weights[counted]).sum() / weights[counted].sum()


@torch.no_grad()
def validate(model: Reasoner, generator: Generator, count: int = 128) -> dict[str, float]:
    """Teacher-forced accuracy on examples of lines that training never sees (split `search`)."""
    rng = random.Random("validation")
    ok, no, equals, close = (generator.piece_ids(text)[0] for text in (" ok", " no", " =", CLOSE))
    hits: dict[str, list[bool]] = {"ok": [], "no": [], "results": [], "rest": []}
    total = weight_sum = 0.0
    for batch in batches([generator.example(rng) for _ in range(count)], rng):
        inputs, targets, weights = tensors(batch)
        scores = model.logits(model.hidden_states(inputs)[0])
        right = scores.argmax(-1) == targets
        losses = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none").view_as(weights)
        total += float((losses * weights).sum())
        weight_sum += float(weights.sum())
        counted = weights > 0
        after = ((inputs == close).cumsum(1) > 0) & counted
        groups = {
            "ok": counted & (targets == ok),
            "no": counted & (targets == no),
            "results": counted & (inputs == equals) & ~after,
            "rest": after,
        }
        for name, where in groups.items():
            hits[name] += right[where].tolist()
    accuracies = {name: round(sum(found) / max(1, len(found)), 4) for name, found in hits.items()}
    return {"loss": round(total / weight_sum, 4), **accuracies}


def _work(rank: int, world: int, folder: str, minutes: float, seed: int, width: int) -> None:
    torch.set_num_threads(1)
    keep_freed_pages()
    root = Path(folder)
    dist.init_process_group("gloo", init_method=f"file://{root.resolve()}/rendezvous", rank=rank, world_size=world)
    generator = Generator.load(root / "tokenizer.json")
    held_out = Generator.load(root / "tokenizer.json", split="search")
    vocabulary = generator.tokenizer.get_vocab_size()
    shape = Shape(vocabulary, width=width, heads=width // 32, hidden=round(width * 2.7) // 16 * 16)
    torch.manual_seed(seed)
    model = Reasoner(shape)
    names = [str(generator.tokenizer.id_to_token(i)) for i in range(shape.vocabulary)]
    model.embedding.data = fourier_embedding(names, shape, torch.Generator().manual_seed(seed))
    parameters = list(model.parameters())
    optimiser = Optimiser(model)
    state: dict[str, Any] = {"step": 0, "chunk": 0, "tokens": 0, "elapsed": 0.0, "log": []}
    checkpoint = root / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load(saved)
        state = saved["state"]

    def save() -> None:
        record = {"model": model.state_dict(), **optimiser.state(), "state": state}
        record |= {"shape": asdict(shape), "seed": seed, "minutes": minutes}
        torch.save(record, root / "checkpoint.tmp")
        os.replace(root / "checkpoint.tmp", checkpoint)

    began, before, saved_at, running = time.monotonic(), state["elapsed"], time.monotonic(), 0.0
    fraction = before / (60 * minutes)
    while fraction < 1.0:
        rng = random.Random(f"{seed}/{rank}/{state['chunk']}")
        queue = batches([generator.example(rng) for _ in range(CHUNK)], rng)
        shared = torch.tensor([float(len(queue))])
        dist.all_reduce(shared, op=dist.ReduceOp.MIN)
        for batch in queue[: int(shared)]:
            loss = weighted_loss(model, batch)
            for parameter in parameters:
                parameter.grad = None
            loss.backward()
            extras = torch.tensor([float(loss.detach()), float(sum(len(item.ids) for item in batch)), 0.0])
            if rank == 0:
                extras[2] = (before + time.monotonic() - began) / (60 * minutes)
            flat = torch.cat([*(p.grad.flatten() for p in parameters if p.grad is not None), extras])
            dist.all_reduce(flat)
            position = 0
            for parameter in parameters:
                parameter.grad = flat[position : position + parameter.numel()].view_as(parameter) / world
                position += parameter.numel()
            fraction = float(flat[-1])
            factor = schedule(state["step"], fraction)
            optimiser.step(factor)
            state["step"] += 1
            state["tokens"] += int(flat[-2])
            state["elapsed"] = fraction * 60 * minutes
            running = float(flat[-3]) / world if running == 0.0 else 0.98 * running + 0.02 * float(flat[-3]) / world
            if rank == 0 and state["step"] % REPORT_STEPS == 0:
                speed = state["tokens"] / max(1.0, state["elapsed"])
                print(
                    f"{state['elapsed'] / 60:.1f} min step {state['step']} {state['tokens'] / 1e6:.2f} M tokens "
                    f"{speed:.0f} tok/s loss {running:.3f} factor {factor:.3f}",
                    flush=True,
                )
            if rank == 0 and (time.monotonic() - saved_at > CHECKPOINT_SECONDS or fraction >= 1.0):
                saved_at = time.monotonic()
                scores = validate(model, held_out)
                entry = {"minutes": round(state["elapsed"] / 60, 1), "step": state["step"], "tokens": state["tokens"]}
                state["log"].append({**entry, **scores})
                print(json.dumps(state["log"][-1]), flush=True)
                save()
            if fraction >= 1.0:
                break
        state["chunk"] += 1
    dist.destroy_process_group()


def train(folder: Path, minutes: float, seed: int, width: int, processes: int) -> None:
    """Trains (or resumes) until `minutes` of training are used; leaves `checkpoint.pt` in `folder`."""
    (folder / "rendezvous").unlink(missing_ok=True)
    arguments = (processes, str(folder), minutes, seed, width)
    multiprocessing.spawn(_work, args=arguments, nprocs=processes, join=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    train(options.folder, options.minutes, options.seed, options.width, options.processes)


if __name__ == "__main__":
    main()
