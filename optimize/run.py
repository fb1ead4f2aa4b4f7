"""Measure workflows, with the search's table: `python optimize/run.py programs/pdr.yaml --budget tokens=16k`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from optimize.engine.options import INTERRUPTED, add_common, check_common, guarded
from pdr_dspy.workflow.prompting import FORMATS

EPILOG = """\
examples
  python optimize/run.py programs/pdr.yaml programs/long_cot.yaml --budget tokens=16k
  python optimize/run.py runs/mine/winner.yaml --budget tokens=16k --endpoint http://host:8000/v1 --data aime25
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="run.py",
        description="Measure workflows on the problems that a search does not see, and print its table.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("workflow", nargs="+", metavar="WORKFLOW.yaml", help="workflows, as in programs/")
    add_common(
        made,
        f"how the model is asked and answers: {', '.join(FORMATS)} (default: what the workflow says, else the model's "
        "card, else the library)",
    )
    made.add_argument("--problems", type=int, metavar="N", default=100, help="problems (default 100)")
    made.add_argument("--dry-run", action="store_true", help="show how the problems are understood; send nothing")
    return made


def main() -> int:
    """The command."""
    return guarded(lambda: measure(parser().parse_args()))  # it repeats what it does not know: perhaps a password


def measure(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code.

    Raises:
        InputError: something that was asked for can't be done.
    """
    import asyncio
    from functools import partial

    from optimize.engine.entries import over_loads
    from optimize.engine.formats import in_format
    from optimize.engine.inputs import embedded_card, opened
    from optimize.engine.interrupts import interruptible
    from optimize.objectives.criteria import parse_objectives
    from optimize.objectives.evaluator import Evaluator
    from optimize.objectives.loads import LoadLevel, check_loads, parse_loads, problems_at
    from optimize.reporting.diagnosis import remarks
    from optimize.reporting.progress import Progress
    from optimize.reporting.report import Report, Row, mean_in_flight
    from optimize.reporting.table import as_text
    from optimize.reporting.uncounted import lost, reading
    from pdr_dspy.budget import parse_budget
    from pdr_dspy.data import Dataset, split
    from pdr_dspy.data.showing import described
    from pdr_dspy.data_options import load_asked
    from pdr_dspy.endpoint import FileStore
    from pdr_dspy.evaluation import ProblemResult
    from pdr_dspy.formats import DEFAULT
    from pdr_dspy.workflow import dump_workflow, load_workflow, plan, sampled, topology

    check_common(options)
    budget = parse_budget(options.budget)
    objectives = parse_objectives(options.objectives, options.latency)
    loads = parse_loads(options.load)
    check_loads(loads, objectives, budget)
    workflows = [in_format(load_workflow(path), options.format) for path in options.workflow]
    for workflow in workflows:
        plan(workflow, budget)
    whole = load_asked(options, quiet=options.dry_run)
    data = split(whole)[1].head(options.problems)
    if options.dry_run:
        usual = DEFAULT if options.endpoint else embedded_card()[1].format or DEFAULT
        print(described(whole, style=workflows[0].prompts.format or usual))
        print(f"\nmeasured    {len(workflows)} workflows on {len(data)} problems of the report side")
        print("\nnothing was generated")
        return 0
    with opened(options, FileStore(options.runs / "run-store")) as endpoint:
        for workflow in workflows:
            plan(workflow, budget, context=endpoint.context)
        before_all = reading(endpoint)
        asked = [w.prompts.format or endpoint.identity.recommended.format or DEFAULT for w in workflows]
        evaluator = Evaluator(endpoint, budget, options.seed, options.samples)

        def one_done(number: int, result: ProblemResult) -> None:
            progress.problem(number, result.failure)

        async def work(stop: asyncio.Event, load: int, part: Dataset) -> list[Row] | None:
            rows = []
            stopping = asyncio.ensure_future(stop.wait())
            try:
                for number, workflow in enumerate(workflows):
                    progress.started(number, workflow.name)
                    done = partial(one_done, number)
                    task = asyncio.ensure_future(
                        evaluator.measure(workflow, part, fresh=True, load=load, on_result=done)
                    )
                    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    if not task.done():
                        task.cancel()
                        await asyncio.gather(task, return_exceptions=True)
                        return None
                    measured = task.result()
                    progress.ended(number, measured)
                    named = f", {workflow.prompts.format}" if workflow.prompts.format else ""
                    text = f"{topology(workflow)}, {sampled(workflow.sampling)}{named}"
                    rows.append(Row(workflow.name, text, dump_workflow(workflow), measured))
                return rows
            finally:
                stopping.cancel()

        found: dict[int, list[Row]] = {}
        levels: list[LoadLevel] = []
        for load, count in problems_at(loads, len(data)).items():
            part, before = data.head(count), endpoint.stats
            with (
                endpoint.at_load(load),
                Progress(
                    "run" if len(loads) == 1 else f"run at load {load}",
                    total=len(workflows),
                    problems=count * options.samples,
                    latency=options.latency,
                    tokens=lambda: endpoint.stats.fresh_tokens,
                    calls=lambda: endpoint.stats.failures,
                    costs=objectives.costs,
                    formats=asked,
                ) as progress,
            ):
                rows = interruptible(partial(work, load=load, part=part))
            if rows is None:
                print("stopped; the same command goes on", file=sys.stderr)
                return INTERRUPTED
            found[load] = rows
            levels.append(LoadLevel(load, count, mean_in_flight(before, endpoint.stats)))
        report = Report(
            "run",
            endpoint.identity.model,
            str(budget),
            options.data,
            endpoint.load,
            levels[0].in_flight,
            objectives,
            0,
            len(data),
            options.samples,
            tuple(over_loads(found)),
            tuple(reversed(levels)) if len(levels) > 1 else (),
        )
        print(f"\n{as_text(report)}")
        for line in remarks([(row.name, row.measured) for row in report.rows], asked):
            print(f"\n{line}")
        if line := lost(before_all, reading(endpoint)):
            print(f"\nnot in the table's totals: {line}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
