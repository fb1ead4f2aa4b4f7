"""What the library makes of a real model on the easy problems: workflows through it, beside the model asked plainly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dspy

from experiments.real.plainly import ask_plainly, right_if_read_generously
from experiments.real.problems import FILE, Easy, read_problems
from pdr_dspy import bridge
from pdr_dspy.budget import Budget
from pdr_dspy.data import Dataset, load_data
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.evaluation import Evaluation, ProblemResult, evaluate
from pdr_dspy.evaluation.statistics import wilson
from pdr_dspy.ledger import CallRecord
from pdr_dspy.modules import PDR
from pdr_dspy.modules.records import RunRecord
from pdr_dspy.workflow import Format, Workflow, load_workflow, plan

WORKFLOWS = Path(__file__).with_name("workflows")

NAMES = ("long_cot", "majority", "pdr", "top")
"""The workflows that are measured; the last three begin with the same drafts."""

_WRITES = ("draft", "refine")


@dataclass(frozen=True, slots=True)
class Plainly:
    """The model asked plainly.

    Attributes:
        texts: What it said, in the problems' order.
        right: Whether that is right, read generously.
    """

    texts: tuple[str, ...]
    right: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return sum(self.right) / len(self.right)


@dataclass(frozen=True, slots=True)
class Measured:
    """One workflow through the library.

    Attributes:
        workflow: The workflow.
        evaluation: What came of it on every problem.
    """

    workflow: Workflow
    evaluation: Evaluation

    @property
    def cap(self) -> int:
        """The most tokens of one of its drafts."""
        return plan(self.workflow, Budget()).steps[0].caps.total

    @property
    def right(self) -> tuple[bool, ...]:
        """Whether each problem's answer is right by the data set's own grader, in the problems' order."""
        return tuple(result.correct for result in self.evaluation.results)

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """Every call of every problem."""
        return tuple(record for result in self.evaluation.results for record in result.records)

    def runs(self) -> Iterator[RunRecord]:
        """The records of the problems that got an answer."""
        yield from (run_of(result) for result in self.evaluation.results if result.outputs is not None)

    @property
    def lenient(self) -> float:
        """The share of the drafts and refinements that came, whose answers were not written as the format asks for."""
        drafts = [draft for run in self.runs() for draft in run.drafts]
        return sum(draft.lenient for draft in drafts) / len(drafts) if drafts else 0.0

    @property
    def unreadable(self) -> float:
        """The share of drafts and refinements in whose text no answer was found.

        Of a problem without any answer the calls of its last step are lost, if nothing in them could be read.
        """
        read = sum(len(run.drafts) for run in self.runs())
        lost = sum(f.kind == "unparseable" and f.stage in _WRITES for run in self.runs() for f in run.failed)
        for result in self.evaluation.results:
            if result.outputs is None and result.failure == "unparseable":
                last = max(record.step for record in result.records)
                lost += len({r.call for r in result.records if r.step == last and r.stage in _WRITES})
                read += len({r.call for r in result.records if r.step < last and r.stage in _WRITES})
        return lost / (read + lost) if read + lost else 0.0

    @property
    def fallbacks(self) -> int:
        """Calls in whose place something else was used."""
        return sum(len(run.fallbacks) for run in self.runs())


def run_of(result: ProblemResult) -> RunRecord:
    """The record of the run of a problem that got an answer."""
    return next(value for value in (result.outputs or {}).values() if isinstance(value, RunRecord))


def plainly(endpoint: Endpoint, problems: Sequence[Easy], *, max_tokens: int) -> Plainly:
    """Ask the model plainly, behind the library's back.

    Args:
        endpoint: Says where the model is.
        problems: What is asked.
        max_tokens: Most tokens of an answer.
    """
    texts = ask_plainly(endpoint.settings.urls[0], endpoint.identity.model, problems, max_tokens=max_tokens)
    right = (right_if_read_generously(problem, text) for problem, text in zip(problems, texts, strict=True))
    return Plainly(tuple(texts), tuple(right))


def easy_data(every: int = 1) -> tuple[list[Easy], Dataset]:
    """The problems, or every so-manieth of them, and the same as a data set: as `--data` would load them."""
    data = load_data(str(FILE))
    return read_problems()[::every], data.with_problems(data.problems[::every])


def typed_data() -> Dataset:
    """The problems whose answer is a number, asked for as `answer: int`."""
    data = load_data(str(FILE), signature=dspy.Signature("problem -> answer: int"))
    return data.with_problems(p for p in data.problems if str(p.answer).isdigit())


def through_the_library(
    endpoint: Endpoint, name: str, data: Dataset, *, seed: int = 0, form: Format | None = None
) -> Measured:
    """Run one of the workflows on every problem, as a user would.

    Args:
        endpoint: The model. With a store, workflows that begin alike share their drafts.
        name: One of `NAMES`.
        data: The problems.
        seed: Of all sampling.
        form: The format of its prompts; None: nothing about the prompts is chosen here.
    """
    workflow = load_workflow(WORKFLOWS / f"{name}.yaml")
    if form is not None:
        prompts = workflow.prompts.model_copy(update={"format": form})
        workflow = workflow.model_copy(update={"name": f"{name} in {form}", "prompts": prompts})
    program = PDR(data.signature, workflow, budget=Budget(), seed=seed)
    # As `ask_plainly`: what nobody's chance decides, the batch is not to decide either.
    greedy = workflow.sampling.temperature == 0
    with endpoint.at_load(1 if greedy else endpoint.load):
        evaluation = bridge.run(evaluate(program, data, lm=endpoint.lm))
    return Measured(workflow, evaluation)


HEAD = ("", "right, % [95 %]", "read leniently, %", "unreadable, %", "fallbacks", "path", "total")


def table(plain: Plainly | None, rows: Sequence[Measured]) -> list[str]:
    """The table in Markdown, with a row for the model asked plainly, if it was.

    `path` and `total` are mean generated tokens of a problem, along its path and in all.
    """
    cells: list[tuple[str, ...]] = [HEAD, ("---", *("---:" for _ in HEAD[1:]))]
    if plain is not None:
        cells.append(("asked plainly, read generously", _share(plain.right), "", "", "", "", ""))
    for row in rows:
        tokens = (f"{row.evaluation.mean(meter):.0f}" for meter in ("seq_generated", "total_generated"))
        shares = (f"{100 * share:.1f}" for share in (row.lenient, row.unreadable))
        cells.append((row.workflow.name, _share(row.right), *shares, str(row.fallbacks), *tokens))
    return [f"| {' | '.join(line)} |" for line in cells]


def _share(right: Sequence[bool]) -> str:
    interval = wilson(sum(right), len(right))
    return f"{100 * sum(right) / len(right):.1f} [{100 * interval.low:.1f}-{100 * interval.high:.1f}]"
