"""Several processes of one thread that train one model: each takes its rows of a batch, gradients are summed.

An update is that of one process, up to the rounding of sums. The process that was started comes first; it alone writes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from experiments.reasoner.allocation import keep_freed_pages


@dataclass(frozen=True)
class Processes:
    """The processes of a training, as one of them sees them. Every call of a method is made by all of them.

    Attributes:
        rank: This process's place, from 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def agree(self, yes: bool) -> bool:
        """What the first process says."""
        if self.size == 1:
            return yes
        said = torch.tensor(float(yes))
        self._told(lambda: dist.broadcast(said, src=0))
        return bool(said)

    def wait(self) -> None:
        """Until all of them are here."""
        self.agree(True)

    def summed(self, parameters: Sequence[Tensor], loss: Tensor) -> float:
        """Sum the gradients over the processes, in place; returns the sum of their losses."""
        if self.size == 1:
            return float(loss)
        zeros = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        flat = torch.cat([*(grad.flatten() for grad in zeros), loss.reshape(1).float()])
        self._told(lambda: dist.all_reduce(flat))
        place = 0
        for parameter in parameters:
            parameter.grad = flat[place : place + parameter.numel()].view_as(parameter)
            place += parameter.numel()
        return float(flat[-1])

    def _told(self, collective: Callable[[], Any]) -> None:
        try:
            collective()
        except RuntimeError as error:  # gloo's word for a peer that is gone
            said = " ".join(str(error).split())[:200]
            raise RuntimeError(f"a process of this training has ended ({said}); the same command goes on") from error


@contextmanager
def started(size: int, folder: Path, work: Callable[..., None], *arguments: Any) -> Iterator[Processes]:
    """Inside, `size - 1` more processes run `work(processes, *arguments)`.

    Args:
        size: Processes in all.
        folder: Where they meet.
        work: What the others do; a function of a module.
        arguments: What it is told besides; pickled.
    """
    if size == 1:
        yield Processes()
        return
    meeting = folder / "rendezvous"
    meeting.unlink(missing_ok=True)
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_joined, args=(Processes(rank, size), str(meeting), work, *arguments), daemon=True)
        for rank in range(1, size)
    ]
    for each in others:
        each.start()
    ended = False
    try:
        with _met(Processes(0, size), meeting) as processes:
            yield processes
            ended = True
    finally:
        for each in others:
            if not ended:
                each.terminate()
            each.join()
        meeting.unlink(missing_ok=True)


def _joined(processes: Processes, meeting: str, work: Callable[..., None], *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others
    keep_freed_pages()
    torch.set_num_threads(1)
    with _met(processes, Path(meeting)):
        work(processes, *arguments)


@contextmanager
def _met(processes: Processes, meeting: Path) -> Iterator[Processes]:
    where = f"file://{meeting.resolve()}"
    dist.init_process_group("gloo", init_method=where, rank=processes.rank, world_size=processes.size)
    try:
        yield processes
    finally:
        dist.destroy_process_group()
