"""A study's page: complete, self-contained, and made of the storage alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command

from pdr_dspy.command.guarded import REFUSED

SMALL = ("--budget", "tokens=4k", "--problems", "8", "--report-problems", "8", "--front", "2", "--study", "s")


def test_a_search_and_its_page(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*SMALL, "--endpoint", model.url, "--data", data, "--trials", 6)
    assert command("search", *arguments) == 0
    before = len(model.calls)
    capsys.readouterr()
    assert command("report", "s") == 0
    assert "6 trials of s: runs/s/report.html" in capsys.readouterr().out
    page = (tmp_path / "runs" / "s" / "report.html").read_text(encoding="utf-8")
    for words in (
        "On problems the search never saw",
        "What was tried",
        "What mattered",
        "Who solves what",
        "All trials",
        "long_cot",
        "rounds:",
    ):
        assert words in page, words
    assert "Not told: " in page  # what mattered, of six trials
    assert page.count("<!doctype html>") == 1 and "<script src=" not in page and "cdn.plot.ly" not in page
    assert len(page) < 2_500_000
    assert len(model.calls) == before
    assert command("search", *arguments) == 0  # and it left the study as it was
    assert len(model.calls) == before


def test_an_unknown_study_is_told_with_those_there_are(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("report", "mine") == REFUSED
    assert "--runs" in capsys.readouterr().err
    assert command("search", *SMALL, "--endpoint", model.url, "--data", data, "--trials", 2) == 0
    capsys.readouterr()
    assert command("report", "mine") == REFUSED
    assert "There are: s" in capsys.readouterr().err
