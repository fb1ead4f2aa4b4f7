"""The whole small chain on the embedded reasoner: served, measured, written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import SMALL, Silent

pytestmark = pytest.mark.embedded


@pytest.mark.slow
def test_the_questions_are_asked_of_the_embedded_reasoner(command: Callable[..., int], tmp_path: Path) -> None:
    text = SMALL.replace("data: DATA", "data: 'worksheets:lines=2,count=20'").replace("answer: 40", "answer: 112")
    text = text.replace("last_answer: 60", "last_answer: 112").replace(
        "  problems: 6\n", "  problems: 6\n  lines: true\n"
    )
    text = text.replace("kappa: [64, 128]", "kappa: [64]").replace("thinking: 400", "thinking: 150")
    config = tmp_path / "tiny.yaml"
    config.write_text(text, encoding="utf-8")
    assert command("all", "--config", config, "--problems", 2) == 0
    folder = tmp_path / "runs" / "questions-small" / "report"
    assert {p.stem for p in folder.glob("*.md")} == {"frontier", "distillers", "oracle"}
    assert "incorrect lines" in (folder / "oracle.md").read_text(encoding="utf-8")
    assert [t.closed[0][0] for t in Silent.made] == ["FINISHED"] * 3
    assert all(value >= 0 for t in Silent.made for value in t.closed[0][1]["metrics"].values())
