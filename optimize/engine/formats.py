"""`--format`: the formats of the prompts that a command is told to use. Pure."""

from __future__ import annotations

from typing import cast

from optimize.space import choices
from pdr_dspy.errors import InputError
from pdr_dspy.workflow import FORMATS, Format, Workflow


def parse_formats(text: str | None) -> tuple[Format, ...]:
    """The formats of a text such as `plain` or `plain,json`, each once; none where nothing was said.

    Raises:
        InputError: something else.
    """
    if text is None:
        return ()
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise InputError(
                "--format",
                f"{name!r} is no format" if name else f"{text!r} names no format",
                f"Use one or several of {', '.join(FORMATS)}",
            )
    return tuple(dict.fromkeys(cast(list[Format], names)))


def usual_formats(recommended: Format | None) -> tuple[Format, ...]:
    """What a search chooses from where `--format` does not say: what the model's card recommends, else the usual."""
    return choices.FORMATS if recommended is None else (recommended,)


def in_format(workflow: Workflow, text: str | None) -> Workflow:
    """A workflow asked in the format that `--format` says; as it is where nothing was said.

    Raises:
        InputError: no format, or more than one.
    """
    formats = parse_formats(text)
    if not formats:
        return workflow
    if len(formats) > 1:
        raise InputError(
            "--format", f"{text!r} names {len(formats)}, a run has one", "Give one, or run the command twice"
        )
    prompts = workflow.prompts.model_copy(update={"format": formats[0]})
    return workflow.model_copy(update={"prompts": prompts})
