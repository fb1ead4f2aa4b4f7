"""A data set by its spec: a file, `aime25`, `hf:org/name:split`, `gym:chain_sum`, `worksheets:lines=6`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import dspy

from pdr_dspy.data.asking import graded_field, parse_signature, usual_signature
from pdr_dspy.data.columns import Columns, Table, read_table
from pdr_dspy.data.columns.columns import ANSWER, INPUTS, OPTION_COLUMNS, named
from pdr_dspy.data.columns.paths import MISSING, find
from pdr_dspy.data.columns.references import Several
from pdr_dspy.data.columns.unused import unused_options
from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.files import FORMATS, Rows, is_file_name, is_pattern, read_file, read_shards
from pdr_dspy.data.graders import FieldGrader, Tolerance, guess, make_grader
from pdr_dspy.data.graders.trial import tried
from pdr_dspy.data.gym import GymProblem, GymSpec, gym_problems
from pdr_dspy.data.hf import HubSpec, read_hub
from pdr_dspy.data.known import KNOWN, read_known
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.worksheet_spec import worksheets_of
from pdr_dspy.data.worksheets import Worksheet
from pdr_dspy.errors import DataError

FORMS = (
    f"worksheets[:lines=6,count=200], {', '.join(KNOWN)}, a path that ends in {FORMATS}, a folder of such files, "
    "hf:org/name[:split], or gym:TASK[:size=200]"
)


def load_data(
    spec: str,
    *,
    inputs: str | None = None,
    answer: str | None = None,
    options: str | None = None,
    grader: str | None = None,
    tolerance: str | None = None,
    signature: type[dspy.Signature] | str | None = None,
    instruction: str | None = None,
    skip_empty: bool = False,
    limit: int | None = None,
) -> Dataset:
    """Load a data set.

    Args:
        spec: `worksheets` with options `lines`, `count`, `split` (`search`, `report` or `train`; default: half of the
            count from each of the first two) and `seed`; a benchmark's name (`KNOWN`); a file, a folder of shards or a
            pattern of their names;
            `hf:org/name[:split]` or `hf:org/name:config:split`; `gym:TASK` with options `size`, `seed` and its own.
        inputs: Input columns of a file or Hub data set, separated by commas, each a name or a path into a column
            (`reward_model.ground_truth`). Default: the signature's inputs, or `problem`.
        answer: Its column of reference answers, and the field a program is to give. Default: `answer`.
        options: Its column of a multiple-choice problem's options, or one column an option.
        grader: One of `GRADERS`. Default: the data set's own, or the one that the references suggest.
        tolerance: How far a number may be off, where the grader has such: `1e-3` relative, `+-0.5` absolute.
        signature: A signature of your own, or DSPy's notation of one; its last output field is graded where it has no
            field of the answer's name. Default: the data set's own, or `inputs -> answer`.
        instruction: What the signature is to say instead of its own words.
        skip_empty: Leave rows out whose inputs are all empty, or their answer, instead of refusing them.
        limit: Only the first problems; no more than these are read.

    Returns:
        The data set; its `notes` say what was understood and guessed.

    Raises:
        DataError: an unknown spec or option, or data that can't be read; the line and the column, where there is one; a
            grader of one's own that gives no verdict on the first problem's reference.
    """
    if limit is not None and limit < 1:
        raise DataError("limit", f"{limit} problems are none", "Give 1 or more.")
    own = parse_signature(signature) if isinstance(signature, str) else signature
    found = _found(spec, own, grader, limit, _Words(inputs, answer, options, skip_empty))
    table = found.table
    chosen = own or found.signature or _usual(table, found.kind(grader))
    if instruction is not None:
        if not instruction.strip():
            raise DataError("instruction", "it is empty", "Write what is to be done, or leave --instruction out.")
        chosen = chosen.with_instructions(instruction)
    field = graded_field(chosen, table.inputs, table.answer)
    judged, notes, guessed = _judged(found, grader, tolerance, field)
    if judged.needs_answer and any(problem.answer is None for problem in table.problems):
        mend = "Leave out --grader."
        raise DataError("grader", f"{spec} has no reference answers for the grader {judged.name!r}", mend)
    notes += tried(judged, table.problems[0], chosen.output_fields[field].annotation)
    return Dataset(spec, chosen, table.problems[:limit], judged, (*table.notes, *notes), table.columns, guessed)


@dataclass(frozen=True)
class _Words:
    """What the command line says of columns."""

    inputs: str | None
    answer: str | None
    options: str | None
    skip_empty: bool

    def refuse(self, name: str) -> None:
        if self.inputs or self.answer or self.options:
            mend = "Leave out --inputs, --answer and --options."
            raise DataError("inputs", f"{name} has its own fields", mend)


@dataclass(frozen=True)
class _Found:
    """What a spec leads to: problems, and how the data set itself wants them asked and graded."""

    table: Table
    signature: type[dspy.Signature] | None = None
    grader: str | FieldGrader | None = None

    def kind(self, asked: str | None) -> str | None:
        """The kind of grader, where it is said without looking at the references."""
        own = self.grader if isinstance(self.grader, str) else None
        return asked or self.table.several or own


def _found(
    spec: str, signature: type[dspy.Signature] | None, grader: str | None, limit: int | None, words: _Words
) -> _Found:
    name, _, rest = spec.partition(":")
    several: Several | None = "any" if grader == "any" else "all" if grader == "all" else None
    if name == "worksheets":
        words.refuse(name)
        return _Found(_made(worksheets_of(rest), signature), Worksheet, "worksheet")
    if name == "gym":
        words.refuse(name)
        problems, verifier = gym_problems(GymSpec.parse(rest))
        return _Found(_made(problems, signature), GymProblem, verifier)
    if name in KNOWN and not rest:
        words.refuse(name)
        known = KNOWN[name]
        rows, columns = read_known(known)
        asked = tuple(signature.input_fields) if signature is not None else ()
        if len(asked) == len(columns.fields):
            columns = replace(columns, fields=asked)
        columns = replace(columns, skip_empty=words.skip_empty)
        return _Found(read_table(rows, columns, limit, several), known.signature, known.grader)
    rows = read_hub(HubSpec.parse(rest)) if name == "hf" else _file(spec)
    rows, columns = _columns(rows, words, signature, grader)
    return _Found(read_table(rows, columns, limit, several))


def _file(spec: str) -> Rows:
    path = Path(spec).expanduser()
    if path.is_dir() or is_pattern(str(path)):
        return read_shards(str(path))
    if not path.exists() and not is_file_name(spec) and "/" not in spec:
        raise DataError("data", f"{spec!r} is no data set", f"Use {FORMS}.")
    return read_file(path)


def _columns(
    rows: Rows, words: _Words, signature: type[dspy.Signature] | None, grader: str | None
) -> tuple[Rows, Columns]:
    """Which columns of a table of one's own to read, by the words, the signature and the columns there are."""
    iterator = iter(rows.rows)
    first = next(iterator, None)
    rows = replace(rows, rows=chain([first] if first else [], iterator))
    cells = first.cells if first else {}
    wanted = tuple(signature.input_fields) if signature is not None else ()
    inputs = named(words.inputs, "inputs") if words.inputs is not None else wanted or INPUTS
    if signature is not None and words.inputs is None and first is not None:
        there = [name for name in inputs if find(cells, name) is not MISSING]
        if len(there) < len(inputs):
            there = [str(name) for name in cells]
        graded_field(signature, there, "")
    answer = words.answer.strip() if words.answer is not None else ANSWER
    if find(cells, answer) is MISSING and answer[:1] == answer[-1:] == '"':
        (answer,) = named(answer, "answer")[:1]
    if not answer:
        raise DataError("answer", "it names no column", "Name the column like `--answer label`.")
    if words.answer is None and signature is not None and find(cells, ANSWER) is MISSING:
        last = list(signature.output_fields)[-1]
        answer = last if find(cells, last) is not MISSING else ANSWER
    options = named(words.options, "options") if words.options is not None else ()
    if not options and len(inputs) > 1:
        options = tuple(name for name in inputs if name in OPTION_COLUMNS and isinstance(find(cells, name), list))[:1]
        if options:
            inputs = tuple(name for name in inputs if name not in options)
            note = f"column {options[0]} holds options: they are shown below the problem, as by --options {options[0]}"
            rows = replace(rows, notes=(*rows.notes, note))
    elif not options and (unused := unused_options(cells, {*inputs, answer})):
        note = f"there are columns that may hold options, and are not shown; if they do: {unused}"
        rows = replace(rows, notes=(*rows.notes, note))
    return rows, Columns(
        inputs=inputs,
        answer=None if grader == "worksheet" else answer,
        options=options,
        answer_optional=bool(grader) and ":" in str(grader) and words.answer is None,
        skip_empty=words.skip_empty,
        fields=wanted if len(wanted) == len(inputs) and set(wanted) != set(inputs) else (),
    )


def _made(problems: Sequence[Problem], signature: type[dspy.Signature] | None) -> Table:
    """Problems that were made here, under the one input's name that a signature has for it."""
    field = "problem"
    if signature is not None and len(signature.input_fields) == 1:
        field = next(iter(signature.input_fields))
        problems = [replace(each, inputs={field: each.inputs["problem"]}) for each in problems]
    return Table(tuple(problems), (field,), ANSWER)


def _usual(table: Table, kind: str | None) -> type[dspy.Signature]:
    choice = any(problem.options for problem in table.problems)
    return usual_signature(table.inputs, table.answer, choice=choice, several=kind == "all")


def _judged(
    found: _Found, asked: str | None, tolerance: str | None, field: str
) -> tuple[FieldGrader, tuple[str, ...], str | None]:
    """The grader, what is to be told about it, and its kind where that is guessed."""
    table = found.table
    if asked is None and isinstance(found.grader, FieldGrader):
        if tolerance is not None:
            mend = "Leave out --tolerance, or name a --grader."
            raise DataError("tolerance", "the task's own verifier has none", mend)
        return replace(found.grader, field=field), (), None
    options = any(problem.options for problem in table.problems)
    each = (
        ("any", "all", "choice")
        if options
        else ("any", "all", "number", "words")
        if table.several == "any"
        else ("any", "all")
    )
    if asked is not None and table.several and asked not in each and ":" not in asked:
        mend = "Use --grader any or --grader all, or name a column with one answer."
        raise DataError("grader", f"a problem has several answers, {asked!r} compares one", mend)
    kind = found.kind(asked)
    if options and table.several and kind in ("any", "all"):  # the problems say which, and options have texts too
        kind = "choice"
    allowed = None if tolerance is None else Tolerance.parse(tolerance)
    if kind is not None:
        guessed = None if asked or found.grader else kind
        return make_grader(kind, field, tolerance=allowed), (), guessed
    best = guess(table.problems)
    kind, why = best.kind, best.why
    if allowed is not None and kind in ("integer", "math"):
        kind, why = "number", f"{why}, and there is a tolerance"
    note = f"grader {kind}: {why} (--grader names another)"
    return make_grader(kind, field, tolerance=allowed), (note,), kind
