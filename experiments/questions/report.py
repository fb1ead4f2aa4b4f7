"""An answer written down: its own files under `runs/`, and its part of the README with the plots beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.questions.markdown import spliced
from experiments.questions.paper import as_markdown, load_paper
from experiments.questions.plots import Chart, as_html, as_png
from optimize.study.state import write_whole

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "experiments" / "README.md"
FIGURES = ROOT / "docs" / "figures"


@dataclass(frozen=True)
class Answer:
    """A question's answer: text with tables, charts, and numbers for the tracker."""

    question: str
    markdown: str
    charts: tuple[Chart, ...]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Drawn:
    """A chart, drawn."""

    chart: Chart
    html: str
    png: bytes


def drawn(answer: Answer) -> tuple[Drawn, ...]:
    """The answer's charts, drawn."""
    return tuple(Drawn(chart, as_html(chart), as_png(chart)) for chart in answer.charts)


def part(answer: Answer, made_by: str, figures: str) -> str:
    """The answer as a part of a document.

    Args:
        answer: The answer.
        made_by: How it was made, in a line.
        figures: Path of the plots as the document sees them.
    """
    prefix = f"{figures}/" if figures else ""
    images = [f"![{chart.title}]({prefix}{chart.name}.png)" for chart in answer.charts]
    return "\n\n".join([made_by, answer.markdown, *images])


def write_files(answer: Answer, pictures: tuple[Drawn, ...], made_by: str, folder: Path) -> Path:
    """Write the answer as files of its own; the path of its text."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        write_whole(folder / f"{picture.chart.name}.html", picture.html)
        (folder / f"{picture.chart.name}.png").write_bytes(picture.png)
    return write_whole(folder / f"{answer.question}.md", part(answer, made_by, "") + "\n")


def write_readme(
    answer: Answer, pictures: tuple[Drawn, ...], made_by: str, readme: Path = README, figures: Path = FIGURES
) -> None:
    """Put the answer between its markers in the README, and its plots into `docs/figures`."""
    figures.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        (figures / f"{picture.chart.name}.png").write_bytes(picture.png)
    text = part(answer, made_by, f"../{figures.parent.name}/{figures.name}")
    document = spliced(readme.read_text(encoding="utf-8"), "table", answer.question, text)
    write_whole(readme, with_paper(document))


def with_paper(document: str) -> str:
    """The document with the paper's tables as `paper.yaml` has them."""
    paper = load_paper()
    for question in type(paper).model_fields:
        document = spliced(document, "paper", question, as_markdown(getattr(paper, question)))
    return document
