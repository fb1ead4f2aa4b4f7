"""What a run of a workflow leaves behind: its drafts, workspaces, failures and ledger. Values only."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TextIO

from pdr_dspy.answers import Equal
from pdr_dspy.budget import Budget
from pdr_dspy.ledger import CallRecord, Meters, meters
from pdr_dspy.workflow import Plan, topology

if TYPE_CHECKING:
    from pdr_dspy.run_view import RunData

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80  # characters of a text in a `repr`

_MARKED = ("marks", "spelling", "boxed")


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft that came.

    Attributes:
        index: Its number in the round.
        solution: Its written solution.
        outputs: The user's output fields.
        read: How its outputs were found in what the model wrote: `marks` (as the format asks for), or, read
            leniently, one of the steps of `pdr_dspy.formats.reading`.
        cut: Whether it reached its cap behind its answer, so that it may have gone on to another one.
    """

    index: int
    solution: str
    outputs: Mapping[str, Any]
    read: str = "marks"
    cut: bool = False

    def __repr__(self) -> str:
        return f"Draft({self.index}, {_SHORT.repr(dict(self.outputs))}, solution={_SHORT.repr(self.solution)})"

    @property
    def lenient(self) -> bool:
        """Whether the outputs were not written as the format asks for."""
        return self.read != "marks"

    @property
    def ended(self) -> bool:
        """Whether its answer is marked, or the text ended with it: no mere phrase in one that was cut off later on."""
        return not self.cut or self.read in _MARKED


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call that gave nothing usable.

    Attributes:
        stage: Its stage.
        index: Its number in the step.
        kind: What it counts under.
        detail: Why, in words.
        text: What it wrote after its thinking, as far as it came.
        fallback: What was used in its place so that the run could go on (`unmarked`, `answers`, `random`,
            `previous`, `vote`, `best`), or "" where nothing was.
    """

    stage: str
    index: int
    kind: str
    detail: str
    text: str = ""
    fallback: str = ""

    def __repr__(self) -> str:
        told = f", fallback={self.fallback!r}" * bool(self.fallback)
        return f"FailedCall({self.stage} {self.index}, {self.kind}: {_SHORT.repr(self.detail)}{told})"


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One round.

    Attributes:
        workspaces: The workspace each draft read, in the order of their numbers ("" in the first round).
        drafts: The drafts that came.
        failed: Those that did not.
        tokens: Tokens of each workspace; None where they could not be counted.
    """

    workspaces: tuple[str, ...]
    drafts: tuple[Draft, ...]
    failed: tuple[FailedCall, ...]
    tokens: tuple[int | None, ...] = ()

    def __repr__(self) -> str:
        return f"RoundRecord({len(self.drafts)} drafts, {len(self.failed)} failed)"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a workflow on one problem.

    Attributes:
        plan: The workflow, its budget and every call's caps.
        rounds: The rounds that were begun, in order.
        failed: Every call that gave nothing usable, helper calls (distill, pick, analyse) included.
        records: The run's call records.
        accepted: The draft whose answer the run gives; None where it gave none.
        voted: The output fields by which drafts agree, each with the equality (None: `equal_answers`). An equality is
            code: a record that was pickled has the default one.
    """

    plan: Plan
    rounds: tuple[RoundRecord, ...]
    failed: tuple[FailedCall, ...]
    records: tuple[CallRecord, ...]
    accepted: Draft | None = None
    voted: Mapping[str, Equal | None] = field(default_factory=dict, compare=False)

    def show(self, file: TextIO | None = None, *, width: int | None = None, texts: int | None = 600) -> None:
        """Print the run: a timeline of its calls, the drafts side by side and which of them agree, workspaces, what
        failed and what was used instead, tokens and seconds by stage.

        Args:
            file: Where to; default: stdout. Colours are used on a terminal, where rich is installed.
            width: Columns; default: the terminal's.
            texts: Most characters of each text; None: all of them.
        """
        self.data().show(file, width=width, texts=texts)

    def data(self) -> RunData:
        """What `show` shows, as values."""
        from pdr_dspy.run_view.making import run_data  # which reads what stands here

        return run_data(self)

    def to_dict(self) -> dict[str, Any]:
        """What `show` shows, as JSON-able data; `RunData` says what its fields mean, and reads it back."""
        return self.data().model_dump(mode="json")

    def toDict(self) -> dict[str, Any]:
        """What stands for the run where DSPy makes plain data of a prediction (traces, files of results, MLflow's
        server): its workflow, budget and meters. `to_dict` has everything."""
        return {"workflow": self.plan.workflow.name, "budget": str(self.budget), **asdict(self.meters)}

    def _repr_html_(self) -> str:
        return self.data()._repr_html_()

    def __repr__(self) -> str:
        meters, workflow = self.meters, self.plan.workflow
        return (
            f"RunRecord({workflow.name}: {topology(workflow)}, budget {self.budget}; {meters.calls} calls, "
            f"{len(self.failed)} failed, B_seq {meters.b_seq}, B_total {meters.b_total}, {meters.seconds:.2f} s)"
        )

    def __getstate__(self) -> list[Any]:
        kept = {each.name: getattr(self, each.name) for each in fields(self)}
        return list({**kept, "voted": dict.fromkeys(self.voted)}.values())

    @property
    def budget(self) -> Budget:
        """The budget the run was planned for."""
        return self.plan.budget

    @property
    def meters(self) -> Meters:
        """Both meters, the nominal ones, and seconds along the critical path."""
        return meters(self.records)

    @property
    def dropped(self) -> Counter[str]:
        """Failed calls by kind."""
        return Counter(f.kind for f in self.failed)

    @property
    def fallbacks(self) -> tuple[FailedCall, ...]:
        """The failed calls in whose place something else was used."""
        return tuple(f for f in self.failed if f.fallback)

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """The drafts of all rounds, in order."""
        return tuple(draft for each in self.rounds for draft in each.drafts)


QUOTED = 200
"""Most characters of a text that an error quotes."""


def told(failed: Sequence[FailedCall]) -> str:
    """Failed calls in a few words: how many of which kind, and the beginning of what the last of them wrote."""
    if not failed:
        return ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(f.kind for f in failed).most_common())
    wrote = next((text for f in reversed(failed) if (text := " ".join(f.text.split()))), "")
    if not wrote:
        return f"failed calls: {kinds}"
    shown = wrote if len(wrote) <= QUOTED else f"{wrote[:QUOTED]}..."
    return f"failed calls: {kinds}; one wrote {shown!r}"
