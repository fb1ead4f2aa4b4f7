"""Workflows as YAML: reading with errors that name the line, key and mend, and compact writing that reads back equal.

The one room of the declaration that touches files. Knows nothing of budgets and calls.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pdr_dspy.errors import WorkflowError
from pdr_dspy.kinds import need_kind
from pdr_dspy.prompts import catalogue
from pdr_dspy.regular import other_kind
from pdr_dspy.workflow.complaints import Complaint, complaints, field
from pdr_dspy.workflow.marks import LONGEST, Marked, TooMuch, lines, read
from pdr_dspy.workflow.prompting import OWN, PROMPTED, Instruction
from pdr_dspy.workflow.schema import Workflow

SUFFIXES = (".yaml", ".yml")
"""How the names of workflows' files end."""


def read_workflow(path: Path | str) -> Workflow:
    """Read a workflow from a YAML file.

    Raises:
        WorkflowError: the file can't be read, or what it says can't be run; names line, key and mend.
    """
    return parse_workflow(file_text(path), source=str(path))


def file_text(path: Path | str) -> str:
    """The text of a YAML file, no more of it than may be read.

    Raises:
        WorkflowError: it can't be read.
    """
    need_kind(path, (str, os.PathLike), WorkflowError, "workflow", "Write the path of a YAML file, or a preset's name")
    file = Path(path)
    try:
        if kind := other_kind(file):
            raise OSError(0, f"it is {kind}")
        with file.open(encoding="utf-8") as opened:
            return opened.read(LONGEST + 1)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        others = sorted(p.name for p in file.parent.glob("*") if p.suffix in SUFFIXES) if file.parent.is_dir() else []
        mend = f"In {file.parent} there are {', '.join(others)}" if others else "Write the path of a YAML file"
        reason = (
            error.strerror
            if isinstance(error, OSError)
            else "it is not UTF-8 text"
            if isinstance(error, UnicodeDecodeError)
            else "it is no path"
        )
        raise WorkflowError(str(path), f"can't be read ({reason})", mend) from None


def parse_workflow(text: str, source: str = "") -> Workflow:
    """Read a workflow from YAML text.

    Args:
        text: The YAML.
        source: Name of the file for error messages.

    Raises:
        WorkflowError: the text is no YAML, or what it says can't be run; `field` is like `rounds[1].width (line 5)`.
    """
    mend = "Give the YAML as text; load_workflow(path) reads a file, build_workflow(mapping) plain data"
    need_kind(text, str, WorkflowError, "workflow", mend)
    marked = marked_yaml(text, source)
    try:
        return _validate(marked.data)
    except _Refused as refused:
        line = lines(marked.root)
        first = min(refused.complaints, key=lambda c: line(c.path))
        place = f" of {source}" if source else ""
        where = f"{field(first.path)} (line {line(first.path)}{place})"
        raise WorkflowError(where, first.problem, first.mend) from None


def marked_yaml(text: str, source: str = "", what: str = "workflow") -> Marked:
    """The data of YAML text, with the lines it stands on.

    Args:
        text: The YAML.
        source: Name of the file for error messages.
        what: What it is to be, for error messages.

    Raises:
        WorkflowError: the text is no YAML, too much of it, or has a key twice.
    """
    place = f" of {source}" if source else ""
    try:
        marked = read(text)
    except yaml.YAMLError as error:
        raise _no_yaml(error, what, place) from None
    except RecursionError:
        raise WorkflowError(source or what, "it is nested too deeply", "Close its brackets") from None
    except TooMuch as error:
        raise WorkflowError(source or what, f"it is not YAML that can be read ({error})", error.mend) from None
    if twice := marked.twice:
        where = f"{field(twice.path)} (line {twice.second}{place})"
        raise WorkflowError(where, f"the key stands on line {twice.first} already", "Keep one of the two")
    return marked


def build_workflow(data: Mapping[str, Any]) -> Workflow:
    """A workflow from plain data (what the YAML would say), with the same checks.

    Raises:
        WorkflowError: what it says can't be run; names key and mend.
    """
    mend = "Give a mapping such as {'name': 'mine', 'rounds': [{'width': 1}]}; parse_workflow(text) reads YAML"
    need_kind(data, Mapping, WorkflowError, "workflow", mend)
    try:
        return _validate(dict(data))
    except _Refused as refused:
        first = refused.complaints[0]
        raise WorkflowError(field(first.path), first.problem, first.mend) from None


def plain_workflow(workflow: Workflow) -> dict[str, Any]:
    """The workflow as plain data, what equals the default left out; `build_workflow` reads it back equal.

    Raises:
        WorkflowError: it is no workflow.
    """
    mend = "Give a Workflow; build_workflow(mapping), parse_workflow(text) and load_workflow(path) make one"
    need_kind(workflow, Workflow, WorkflowError, "workflow", mend)
    data: dict[str, Any] = workflow.model_dump(mode="json", exclude_defaults=True)
    for r, plain in zip(workflow.rounds, data["rounds"], strict=True):
        if r.distill is not None:  # its kind is the class's default, but it is what names the class
            plain["distill"] = {"kind": r.distill.kind, **plain["distill"]}
    return data


def dump_workflow(workflow: Workflow) -> str:
    """The workflow as YAML, a line a round, what equals the default left out; `parse_workflow` reads it back equal.

    Instructions of its own stand as blocks, to be read and edited.

    Raises:
        WorkflowError: it is no workflow.
    """
    data = plain_workflow(workflow)
    lines = [f"name: {_flow(data.pop('name'))}", "rounds:"]
    lines += [f"  - {_flow(plain)}" for plain in data.pop("rounds")]
    if workflow.prompts.own:
        lines.append(dump_block({"prompts": data.pop("prompts")}))
    lines += [f"{key}: {_flow(value)}" for key, value in data.items()]
    return "\n".join(lines) + "\n"


class _Refused(Exception):
    """Validation failed; carries what is wrong until the line can be found."""

    def __init__(self, complaints: list[Complaint]) -> None:
        self.complaints = complaints
        super().__init__(complaints)


def _validate(data: Any) -> Workflow:
    try:
        workflow = Workflow.model_validate(data)
    except ValidationError as error:
        raise _Refused(complaints(error.errors(include_url=False))) from None
    unknown = []
    for stage in PROMPTED:
        known, chosen = catalogue(stage), getattr(workflow.prompts, stage)
        if isinstance(chosen, Instruction):
            if chosen.id in known:
                problem = f"{chosen.id!r} is the id of an instruction of the catalogue"
                unknown.append(Complaint(("prompts", stage, "id"), problem, "Give this text another id"))
        elif chosen not in known:
            mend = f"Use one of {', '.join(known)}, or give a text: {{id: {OWN}, text: ...}}"
            unknown.append(Complaint(("prompts", stage), f"no prompt has the id {_short(chosen)}", mend))
    if unknown:
        raise _Refused(unknown)
    return workflow


def _no_yaml(error: yaml.YAMLError, what: str, place: str) -> WorkflowError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it can't be read"
    where = f"{what} (line {mark.line + 1}{place})" if mark is not None else f"{what}{place}"
    return WorkflowError(where, f"not YAML: {problem}", "Mind indentation, brackets, colons and quotes near that line")


def _short(chosen: str) -> str:
    """An id as it was written; of a text that was written in its place, the beginning."""
    return repr(chosen) if len(chosen) <= 60 else repr(chosen[:57]) + "..."


class _Blocks(yaml.SafeDumper):
    """Writes a text of several lines as a block, as far as that reads back equal."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    lines = text.split("\n")
    style = "|" if len(lines) > 1 else None
    if not all(line.isprintable() for line in lines):
        style = '"'  # escapes them: other line breaks would be read back as \n
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Blocks.add_representer(str, _text)


def dump_block(value: Any) -> str:
    """Plain data as YAML with its long texts as blocks, without a last line break."""
    text: str = yaml.dump(value, Dumper=_Blocks, sort_keys=False, width=math.inf, allow_unicode=True)
    return text.removesuffix("\n")


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
