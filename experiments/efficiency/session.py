"""The command from its checks to what it writes: the grid measured, every search over it, table and plot."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from experiments.efficiency.figure import FURTHER, Steps, as_chart, as_markdown, tokens_to
from experiments.efficiency.first_front import wait
from experiments.efficiency.grid import BUDGET, grid_space, points
from experiments.efficiency.measure import measure_grid
from experiments.efficiency.outcomes import Outcomes
from experiments.efficiency.replay import CONTENDERS, Grid, Step, race
from experiments.questions.report import README, Answer, drawn, write_files, write_readme
from experiments.questions.serve import Target, opened
from optimize.engine.tracking import Tracking
from optimize.reporting.numbers import amount
from optimize.reporting.progress import clock
from optimize.study.state import StateDir
from pdr_dspy.command.signals import INTERRUPTED
from pdr_dspy.data import Dataset, split
from pdr_dspy.data_options import load_asked, reading, said, wording
from pdr_dspy.endpoint import Endpoint, FileStore, Recommended
from pdr_dspy.errors import InputError

LATENCY_NOTE = "mean tokens generated along the path"


def compare(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code.

    Raises:
        InputError: something that was asked for can't be done.
    """
    _check(options)
    if options.first_front:
        return _first_front(options)
    parts = split(load_asked(options.data, reading(options)))
    data = parts[options.split == "report"].head(options.problems)
    if options.dry_run:
        from optimize.inputs.model import embedded_card

        context, card = (None, Recommended()) if options.endpoint else embedded_card()
        count = sum(1 for _ in points(grid_space(context, card.prompts)))
        print(f"{count} points on {len(data)} problems each, then {len(CONTENDERS)} contenders x {options.seeds} seeds")
        print("nothing was sent")
        return 0
    began = time.monotonic()
    with ExitStack() as stack:
        state = StateDir(options.runs / "efficiency")
        stack.callback(state.close)
        store = FileStore(state.path / "store")
        stack.callback(store.close)
        target = Target(tuple(options.endpoint or ()), options.model)
        with opened(target, store, load=options.load, thinking=options.thinking) as endpoint:
            grid = _measured(options, data, endpoint, state.path)
            model = f"{endpoint.identity.model} {endpoint.identity.revision}".strip()
        if grid is None:
            print("stopped; the same command goes on", file=sys.stderr)
            return INTERRUPTED
        steps = _race(grid, options.seeds, options.share)
        _tell(options, grid, steps, model, state.path)
    print(f"{clock(time.monotonic() - began)} in all")
    return 0


def _check(options: argparse.Namespace) -> None:
    for name in ("problems", "seeds", "load"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name}", f"{getattr(options, name)} is too few", "Give 1 or more")
    if not 0 < options.share <= 1:
        raise InputError("--share", f"{options.share} is no share", "Give a number above 0, at most 1, as 0.95")
    if options.model and not options.endpoint:
        raise InputError("--model", "there is no --endpoint that could serve it", "Give one, or leave --model out")


def _measured(options: argparse.Namespace, data: Dataset, endpoint: Endpoint, folder: Path) -> Grid | None:
    space = grid_space(endpoint.context, endpoint.identity.recommended.prompts)
    candidates = list(points(space))
    identity = endpoint.identity
    setting = {
        "model": [identity.model, identity.revision, identity.context],
        "data": data.fingerprint,
        "seed": options.seed,
        "thinking": options.thinking,
        **wording(options),
    }
    outcomes = Outcomes(folder / "outcomes.jsonl", setting)
    if not measure_grid(candidates, data, endpoint, outcomes, seed=options.seed):
        return None
    return Grid(space, {c.key: outcomes.known[c.key] for c in candidates})


def _race(grid: Grid, seeds: int, share: float) -> Steps:
    steps: dict[str, list[list[Step]]] = {}
    with ProcessPoolExecutor() as pool:
        for i, contender in enumerate(CONTENDERS):
            found = list(pool.map(partial(_one, grid, i, share), range(seeds)))
            steps[contender.name] = found
            print(f"{contender.name}: {seeds} searches", file=sys.stderr, flush=True)
    return steps


def _one(grid: Grid, contender: int, share: float, seed: int) -> list[Step]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return race(grid, CONTENDERS[contender], seed, wanted=max(share, FURTHER))


def _tell(options: argparse.Namespace, grid: Grid, steps: Steps, model: str, folder: Path) -> None:
    problems = len(next(iter(grid.outcomes.values())))
    made_by = (
        f"`python -m experiments.efficiency`: {len(grid.outcomes)} points, {problems} problems of the "
        f"{options.split} split of {options.data}, --budget {BUDGET}, seed {options.seed}, {model}; "
        f"{options.seeds} searches (seeds 0 to {options.seeds - 1}) of each contender."
    )
    text = (
        f"Generated tokens until the front has {100 * options.share:g} % of the whole grid's hypervolume (accuracy "
        f"against {LATENCY_NOTE}, from the corner of no accuracy at the slowest point):\n\n"
        f"{as_markdown(steps, options.share)}\n\n"
        f"Measuring the whole grid generates {amount(grid.tokens(bank=True))} tokens with the bank and "
        f"{amount(grid.tokens(bank=False))} without. Intervals are 95 % (bootstrap over the seeds). A point that is "
        "asked for again is free for everyone; a search that never got there counts as slower than all others. All "
        "searches are told the same draws of the model: the seeds vary the searches, not the drafts."
    )
    chart = as_chart(steps, "efficiency", f"tokens to find the trade-off, {len(grid.outcomes)} points")
    answer = Answer("efficiency", text, (chart,), _metrics(steps, options.share))
    pictures = drawn(answer)
    path = write_files(answer, pictures, made_by, folder / "report")
    usual = not options.endpoint and all(
        getattr(options, name) == usual
        for name, usual in (("data", "worksheets"), ("split", "report"), ("problems", 32), ("seed", 0), ("share", 0.95))
    )
    if usual:
        write_readme(answer, pictures, made_by)
    tracking = Tracking(Path.cwd(), "efficiency", {"model": model, "data": options.data, "seeds": options.seeds})
    tracking.ready()
    tracking.close(
        "FINISHED",
        metrics=answer.metrics,
        artifacts={"efficiency.md": path.read_text(encoding="utf-8")},
        figures={picture.chart.name: (picture.html, picture.png) for picture in pictures},
    )
    print(f"\n{text}\n\n{path}{f' and {README}' if usual else ''}")


def _metrics(steps: Steps, share: float) -> dict[str, float]:
    names = {name: name.replace(",", "").replace(" ", "_") for name in steps}
    return {f"tokens_{names[name]}": median(tokens_to(run, share) for run in runs) for name, runs in steps.items()}


def _first_front(options: argparse.Namespace) -> int:
    arguments = ["--budget", BUDGET, "--data", options.data, "--seed", str(options.seed)]
    arguments += [part for url in options.endpoint or () for part in ("--endpoint", url)]
    arguments += [*(["--model", options.model] if options.model else []), *said(options)]
    with tempfile.TemporaryDirectory(prefix="first-front-") as folder:
        waited = wait(arguments, Path(folder))
    print(
        f"first useful front {waited.seconds:.0f} s after the command (trial {waited.trials} of those that ended: "
        f"{waited.found}); report after {waited.whole:.0f} s"
    )
    return 0
