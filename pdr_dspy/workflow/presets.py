"""The workflows that come along, by their names: `programs/*.yaml` of the repository, package data of the wheel."""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from pdr_dspy.errors import WorkflowError
from pdr_dspy.kinds import need_kind
from pdr_dspy.workflow.schema import Workflow
from pdr_dspy.workflow.yaml_io import SUFFIXES, read_workflow

DEFAULT_PRESET = "pdr_small"
"""What `PDR(signature)` runs: the smallest workflow with all three steps of the paper (8 drafts, one summary, one
refinement). Three calls follow one another, so it is as fast as a short chain, and every budget that has room for a
workspace of 1024 tokens has room for it."""

_PACKAGE = Path(__file__).resolve().parents[1]


@cache
def folder() -> Path:
    """Where the presets are: in an installed package within it, in a checkout (also an editable one) beside it."""
    inside = _PACKAGE / "programs"
    return inside if inside.is_dir() else _PACKAGE.parent / "programs"


@cache
def preset_names() -> tuple[str, ...]:
    """The names of the presets, sorted."""
    return tuple(sorted(path.stem for path in folder().glob("*.yaml")))


def load_preset(name: str) -> Workflow:
    """The preset of this name, such as `pdr_small`.

    Raises:
        WorkflowError: there is none; names those there are.
    """
    need_kind(name, str, WorkflowError, "workflow", f"Use a preset's name: {', '.join(preset_names())}")
    if name not in preset_names():
        raise _no_preset(name)
    return read_workflow(folder() / f"{name}.yaml")


def load_workflow(path: Path | str) -> Workflow:
    """A workflow: the preset of this name, or what a YAML file declares.

    Args:
        path: A path. A text is the name of a preset, unless it has a folder in it or ends with `.yaml` or `.yml`.

    Raises:
        WorkflowError: there is no such preset, or the file can't be read, or what it says can't be run; names line, key
            and mend.
    """
    if not isinstance(path, str):
        return read_workflow(path)
    if path in preset_names():
        return load_preset(path)
    if "\n" in path:
        mend = "Write its path or a preset's name; a text is read by parse_workflow(text)"
        raise WorkflowError("workflow", "it is a text of several lines, not the path of a file", mend)
    if not path.strip():
        raise WorkflowError("workflow", "it is empty", f"Use a preset ({', '.join(preset_names())}) or a path")
    file = Path(path)
    # os.path's questions are answered for what can't be a path, too.
    if file.name == path and file.suffix not in SUFFIXES and not os.path.isfile(file):
        raise _no_preset(path)
    try:
        return read_workflow(path)
    except WorkflowError as error:
        if file.stem not in preset_names() or os.path.exists(file):
            raise
        raise WorkflowError(error.field, error.problem, f"The preset is {file.stem!r}. {error.mend}") from None


def _no_preset(name: str) -> WorkflowError:
    """The error of a name that is none of a preset's."""
    close = get_close_matches(name, preset_names(), n=1)
    meant = f"Did you mean {close[0]}? " if close else ""
    mend = f"{meant}The presets are {', '.join(preset_names())}; a file of yours is named by its path (mine.yaml)"
    return WorkflowError("workflow", f"no preset has the name {name!r:.80}", mend)
