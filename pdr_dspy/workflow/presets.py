"""The workflows that come along, by their names: `programs/*.yaml` of the repository, package data of the wheel."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path

from pdr_dspy.errors import WorkflowError
from pdr_dspy.workflow.schema import Workflow
from pdr_dspy.workflow.yaml_io import load_workflow

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
    if name not in preset_names():
        raise no_preset(name)
    return load_workflow(folder() / f"{name}.yaml")


def no_preset(name: str) -> WorkflowError:
    """The error of a name that is none of a preset's."""
    close = get_close_matches(name, preset_names(), n=1)
    meant = f"Did you mean {close[0]}? " if close else ""
    mend = f"{meant}The presets are {', '.join(preset_names())}; a file of yours is named by its path (mine.yaml)"
    return WorkflowError("workflow", f"no preset has the name {name!r:.80}", mend)
