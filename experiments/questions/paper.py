"""The paper's own numbers beside ours: `experiments/paper.yaml` as checked data and as Markdown.

Every table says where it is from and how its numbers were come by.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

PAPER = Path(__file__).resolve().parents[1] / "paper.yaml"

MARKS = {
    "printed": "printed on the figure",
    "stated": "stated by a report on the paper, not seen in its text",
    "pixels": "measured off the figure's pixels, about +-0.2 points",
    "mixed": "as the rows say",
}
"""How a number was come by."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _rows(value: Any) -> Any:
    return tuple(tuple(str(cell) for cell in row) for row in value) if isinstance(value, list) else value


def _texts(value: Any) -> Any:
    return tuple(str(cell) for cell in value) if isinstance(value, list) else value


class PaperTable(_Frozen):
    """One table of the paper's numbers."""

    title: str
    source: str
    mark: Literal["printed", "stated", "pixels", "mixed"]
    columns: Annotated[tuple[str, ...], BeforeValidator(_texts)]
    rows: Annotated[tuple[tuple[str, ...], ...], BeforeValidator(_rows), Field(min_length=1)]
    note: str = ""


class Paper(_Frozen):
    """Tables by question."""

    frontier: Annotated[tuple[PaperTable, ...], BeforeValidator(lambda v: tuple(v))]
    distillers: Annotated[tuple[PaperTable, ...], BeforeValidator(lambda v: tuple(v))]
    oracle: Annotated[tuple[PaperTable, ...], BeforeValidator(lambda v: tuple(v))]
    training: Annotated[tuple[PaperTable, ...], BeforeValidator(lambda v: tuple(v))]


def load_paper(path: Path = PAPER) -> Paper:
    """Read the file."""
    return Paper.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def as_markdown(tables: tuple[PaperTable, ...]) -> str:
    """The tables of one question."""
    from experiments.questions.markdown import table

    parts: list[str] = []
    for each in tables:
        parts += [f"**The paper's: {each.title}** ({each.source}; {MARKS[each.mark]}).", ""]
        parts += [table(each.columns, each.rows), ""]
        if each.note:
            parts += [each.note, ""]
    return "\n".join(parts).rstrip() + "\n"
