"""What a run would take, before it does: measurements, calls, tokens expected and tokens at most. Pure.

A call that two strategies share is counted once, as the store of completions answers it once: the first eight of
sixteen drafts, or the first rounds of [16,8] and [16,8,4]. Checkpoints share nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.questions.config import Config
from experiments.questions.parts import Usual
from experiments.questions.strategies import Job
from pdr_dspy.budget import Budget
from pdr_dspy.workflow import PlannedStep, Workflow, plan

RATE = 6_000
"""Generated tokens a second of the embedded server on two quiet cores, for the estimate of its time."""


@dataclass(frozen=True)
class Cost:
    """Calls, and generated tokens: as the configuration's `usual` expects them, and as the caps allow them."""

    calls: int
    expected: int
    most: int


def usual_tokens(step: PlannedStep, usual: Usual) -> int:
    """Tokens one call of a step is expected to generate."""
    if step.stage in ("draft", "refine"):
        return min(step.caps.thinking or 0, usual.thinking) + min(step.caps.answer, usual.answer)
    return min(step.caps.total, int(getattr(usual, step.stage)))


def expected_meters(workflow: Workflow, usual: Usual) -> dict[str, float]:
    """The meters a strategy is expected to have. Prompts are not known before, so in + out is out alone."""
    made = plan(workflow, Budget())
    path = float(sum(usual_tokens(s, usual) for s in made.steps))
    total = float(sum(s.width * usual_tokens(s, usual) for s in made.steps))
    nominal = [(s.width, s.caps.total if s.caps.thinking is None else s.caps.thinking) for s in made.steps]
    return {
        "seq_generated": path, "b_seq": path, "total_generated": total, "b_total": total,
        "nominal_seq": float(sum(n for _, n in nominal)), "nominal_total": float(sum(w * n for w, n in nominal)),
    }  # fmt: skip


def cost(jobs: Iterable[Job], config: Config) -> Cost:
    """What measuring all of `jobs` takes from nothing, each call once."""
    problems: dict[str, int] = {}
    tokens: dict[str, tuple[int, int]] = {}
    for job in jobs:
        spec = config.sets[job.set]
        made = plan(job.workflow, Budget())
        instructions = job.workflow.prompts.model_dump()
        read: dict[str, object] = {}  # instructions of the steps so far: a later stage's changes nothing before it
        for step in made.steps:
            read[step.stage] = instructions[step.stage]
            before = job.workflow.rounds[: step.round + (step.stage not in ("draft", "refine"))]
            place = [job.checkpoint, job.set, job.side, job.rule if before else "",
                     [r.model_dump() for r in before], step.stage, step.caps.thinking, step.caps.answer, read,
                     job.workflow.prompts.format, job.workflow.sampling.model_dump()]  # fmt: skip
            for index in range(step.width):
                key = json.dumps([*place, index], sort_keys=True)
                problems[key] = max(problems.get(key, 0), job.count * spec.samples)
                tokens[key] = (usual_tokens(step, spec.usual), step.caps.total)
    return Cost(
        sum(problems.values()),
        sum(n * tokens[key][0] for key, n in problems.items()),
        sum(n * tokens[key][1] for key, n in problems.items()),
    )


def describe(config: Config, parts: Sequence[tuple[str, Sequence[Job]]]) -> str:
    """The text of `--dry-run`: a line a question (of the last, a line a checkpoint), and the sum."""
    from optimize.reporting.numbers import amount

    lines = [f"{config.name}: {config.about}", ""]
    wide = max(12, *(len(name) for name, _ in parts))
    for name, spec in config.sets.items():
        levels = ", ".join(f"{level.name} {level.thinking}+{level.answer}" for level in spec.levels)
        samples = f", {spec.samples} samples each" if spec.samples > 1 else ""
        lines.append(f"{name:<10} {spec.data}{samples}; caps (thinking + answer): {levels}")
    lines += [
        "",
        f"{'':<{wide}} {'measured':>9} {'runs':>8} {'calls':>8} {'expected':>9} {'at most':>9}  (generated tokens)",
    ]
    everything: list[Job] = []
    for name, jobs in parts:
        everything += jobs
        lines.append(_row(name.ljust(wide), jobs, config))
    lines.append(_row("all".ljust(wide), everything, config))
    total = cost(everything, config)
    lines += ["", "A call that two strategies share is counted once. Counts of problems are the most there may be."]
    if not config.needs_endpoint:
        minutes = f"{total.expected / RATE / 60:.0f} minutes at {RATE} a second"
        lines.append(f"{amount(total.expected)} tokens are about {minutes} (the embedded reasoner, two quiet cores).")
    lines += [
        "The strategies that claims name are chosen on the search split; here the longest stand for them.",
        "Nothing was generated.",
    ]
    return "\n".join(lines)


def _row(name: str, jobs: Sequence[Job], config: Config) -> str:
    from optimize.reporting.numbers import amount

    what = cost(jobs, config)
    runs = sum(job.count * config.sets[job.set].samples for job in jobs)
    cells = [amount(n) for n in (runs, what.calls, what.expected, what.most)]
    return f"{name} {len(jobs):>9} {cells[0]:>8} {cells[1]:>8} {cells[2]:>9} {cells[3]:>9}"
