"""Stand-ins for the search's tests: a model right by a hash (more often when it refines), a silent tracker, a rival."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakes import stages
from fakes.vllm import Call, FakeVLLM, Reply

from optimize.objectives.measurement import Measurement

Command = Callable[..., int]


def solve(call: Call, delay: float = 0.0, *, always: bool = False) -> Reply:
    """An answer to any stage of `say N`: right now and then, or always."""
    stage = stages.stage_of(call)
    if stage not in ("draft", "refine"):
        reply = stages.by_stage(call)
        return reply if isinstance(reply, Reply) else Reply(text=reply, delay=delay)
    dice = random.Random(f"{call.body['seed']}{call.prompt}")
    wanted = stages.field(call, "problem").split()[-1]
    right = dice.random() < (0.7 if stage == "refine" else 0.4)
    answer = wanted if right or always else "0"
    return Reply(text=stages.fields(solution=f"{stage} " + "word " * dice.randint(1, 20), answer=answer), delay=delay)


def problems(count: int) -> str:
    """`count` problems as JSONL."""
    return "".join(f'{{"problem": "say {i}", "answer": "{i}"}}\n' for i in range(1, count + 1))


class Silent:
    """A tracker that keeps what it is told."""

    runs: list[dict[str, Any]]

    def __init__(self, *_: Any, **__: Any) -> None:
        self.runs = []
        self.closed: list[tuple[str, dict[str, Any]]] = []
        self.kept: dict[str, str] = {}
        Silent.last = self

    last: Silent | None = None

    def begin(self, *_: Any) -> None:
        """At once."""

    def opened(self) -> None:
        """Always."""

    def abandon(self) -> None:
        """Keep nothing."""

    def forget(self, numbers: Any) -> None:
        """Nothing was kept of them."""

    def ready(self) -> None:
        """Always."""

    def keep(self, artifacts: dict[str, str]) -> None:
        """Keep the study's files."""
        self.kept.update(artifacts)

    async def trial(
        self, number: int, candidate: Any, title: str, measured: Any, started: float, *, baseline: str | None = None
    ) -> str:
        """Keep a trial."""
        self.runs.append({"number": number, "baseline": baseline, "measured": measured})
        return f"run-{number}"

    async def reported(self, run: str, measured: Any) -> None:
        """Keep nothing."""

    def settle(self, complete: Any) -> None:
        """Keep nothing."""

    def leave(self) -> None:
        """Keep that it was left."""
        self.closed.append(("LEFT", {}))

    def close(self, status: str, **more: Any) -> None:
        """Keep the end."""
        self.closed.append((status, more))


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.done: list[int] = []
        self.lost: list[int] = []

    def started(self, number: int, title: str) -> None:
        """Remember a start."""
        self.begun.append(number)

    def ended(self, number: int, measured: Measurement) -> None:
        """Remember an end."""
        self.done.append(number)

    def repeated(self, number: int, original: int) -> None:
        """Not remembered."""

    def dropped(self, number: int) -> None:
        """Remember a loss."""
        self.lost.append(number)


def assert_nothing_paid_twice(model: FakeVLLM, stopped: float | None = None, margin: float = 0.15) -> None:
    """No request was answered twice, but those that were in flight when the search was stopped (Unix time)."""
    paid: dict[str, float] = {}
    for call in model.calls:
        if call.status == 200 and not call.disconnected and call.ended is not None:
            body = json.dumps(call.body, sort_keys=True)
            lost = stopped is not None and body in paid and paid[body] > stopped - margin
            assert body not in paid or lost, f"call {call.number} was paid before"
            paid[body] = call.ended


def measured(accuracy: float, seconds: float, *, calls: float = 30.0, path: float = 100.0) -> Measurement:
    """A made-up measurement of ten problems."""
    metrics = {
        "sum_calls": calls,
        "sum_total_generated": 3000.0,
        "sum_fresh_generated": 1000.0,
        "longest_path": 1.5 * path,
        "mean_seq_generated": path,
        "mean_total_generated": 4 * path,
        "mean_b_seq": 3 * path,
        "mean_b_total": 123_456.0,
        "mean_calls": calls / 10,
    }
    return Measurement(
        accuracy,
        max(0.0, accuracy - 0.2),
        min(1.0, accuracy + 0.2),
        seconds,
        2 * seconds,
        metrics,
        {"truncated": 1},
        10,
    )


@contextmanager
def held_elsewhere(directory: Path, *, shared: bool) -> Iterator[str]:
    """Another process holds a study's directory, and is killed at the end; its name among workers."""
    code = (
        "import sys, time; from pathlib import Path; from optimize.study.state import StateDir\n"
        f"state = StateDir(Path(sys.argv[1]), shared={shared}); print(state.worker, flush=True); time.sleep(60)"
    )
    arguments = [sys.executable, "-c", code, str(directory)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(arguments, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            name = process.stdout.readline().strip()
            assert name
            yield name
        finally:
            process.kill()
