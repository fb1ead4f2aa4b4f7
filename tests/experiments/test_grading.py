"""Pairs decided by hand, the command that measures graders on them, and what our graders make of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.grading.__main__ import main
from experiments.grading.ours import our_words
from experiments.grading.pairs import Pair, read_pairs
from experiments.grading.process import Missing, running, words
from experiments.grading.report import OURS, Compared, markdown
from experiments.grading.tables import Counts, by, count, mistakes, overall, side_by_side
from pdr_dspy.data import GRADERS
from pdr_dspy.errors import DataError

HALF = {"reference": "\\frac{1}{2}", "answer": "0.5", "right": True, "shape": "fractions"}
THIRD = {"reference": "\\frac{1}{3}", "answer": "0.5", "right": False, "shape": "fractions", "why": "another number"}
FIVE = {"reference": "5", "answer": "5", "right": True, "shape": "integers"}
NOBODY = {"reference": "50%", "answer": "50", "right": None, "shape": "percent"}


def file(folder: Path, *rows: object) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_the_repositorys_pairs_are_well_formed_and_say_what_a_grader_needs() -> None:
    pairs = read_pairs()
    decided = [pair for pair in pairs if pair.right is not None]
    assert len(decided) >= 400
    assert 0.5 < sum(pair.right is True for pair in decided) / len(decided) < 0.7
    assert {pair.kind for pair in pairs} <= set(GRADERS)
    for pair in pairs:
        assert bool(pair.options) == (pair.kind == "choice"), pair
        assert bool(pair.answers) == (pair.kind == "any"), pair
        assert not pair.tolerance or pair.kind == "number", pair
        assert not pair.answers or pair.answers[0] == pair.reference, pair
        assert not pair.options or pair.reference in "ABCDEFGHIJ"[: len(pair.options)], pair
    for shape in {pair.shape for pair in pairs}:
        assert {pair.right for pair in decided if pair.shape == shape} == {True, False}, shape


def test_our_graders_call_no_wrong_answer_right_and_few_right_ones_wrong() -> None:
    pairs = read_pairs()
    said = our_words(pairs)
    counts = count(pairs, said)
    told = "\n".join(mistakes(pairs, said))
    assert counts.paid == 0, told
    assert counts.lost <= 0.05 * counts.right, told


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "line 2"),
        ('["5"]', "line 2"),
        ({"reference": "5", "answer": "5"}, "right"),
        ({"reference": "5", "answer": "5", "right": "yes"}, "right"),
        ({"reference": 5, "answer": "5", "right": True}, "reference"),
        ({"reference": "", "answer": "5", "right": True}, "reference"),
        ({"reference": "5", "answer": "5", "right": True, "knd": "math"}, "knd"),
        ({**HALF, "right": False}, "asks what line 1 asks"),
    ],
)
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, row: object, told: str) -> None:
    with pytest.raises(DataError, match="line 2") as caught:
        read_pairs(file(tmp_path, HALF, row))
    assert told in str(caught.value)


def test_a_missing_file_and_a_kind_without_pairs_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        read_pairs(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="no pair for words"):
        read_pairs(file(tmp_path, HALF), ("words",))
    assert len(read_pairs(file(tmp_path, HALF, {**HALF, "kind": "exact"}), ("exact",))) == 1


def test_mistakes_are_counted_in_both_directions_and_nobodys_pairs_not_at_all() -> None:
    right = Pair(reference="1", answer="1", right=True)
    wrong = Pair(reference="1", answer="2", right=False)
    nobody = Pair(reference="1", answer="1?", right=None)
    pairs = [right, right, right, wrong, wrong, wrong, nobody]
    said = [True, False, None, True, False, None, True]
    assert count(pairs, said) == Counts(right=3, wrong=3, lost=2, paid=1, undecided=2)
    assert count([nobody], [True]) == Counts(0, 0, 0, 0, 0)
    assert [line.split(":")[0] for line in mistakes(pairs, said)] == [
        "wrong called right",
        "right called wrong",
        "right called wrong, undecided",
        "wrong, undecided",
    ]
    # Wilson's interval of 2 in 3 and of 1 in 3.
    assert "| ours | 2 of 3 | 66.7 [20.8-93.9] | 1 of 3 | 33.3 [6.1-79.2] | 2 |" in overall(pairs, {"ours": said})
    assert "| all | 3 + 3 | 2 + 1 |" in side_by_side(pairs, {"ours": said})
    assert "| math | 2 of 3 |" in by("kind", pairs, said)


def test_the_command_shows_our_mistakes_and_writes_the_tables_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = file(tmp_path, HALF, THIRD, FIVE, NOBODY)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table:grading -->\n<!-- /table:grading -->\nafter\n")
    asked = ["--pairs", str(pairs), "--ours", "--mistakes", "--out", str(page)]
    assert main(asked) == 0
    once = page.read_text()
    assert once.startswith("before\n") and once.endswith("after\n")
    assert "| ours | 0 of 2 | 0.0 [0.0-65.8] | 0 of 1 |" in once and "4 pairs, 1 of which nobody can decide" in once
    assert "| fractions | 0 of 1 |" in once
    assert main(asked) == 0 and page.read_text() == once
    page.write_text("no markers")
    assert main(asked) == 2 and "table:grading" in capsys.readouterr().err


def test_a_page_that_can_not_be_written_is_told_before_a_pair_is_graded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def graded(*_: object) -> None:
        raise AssertionError("a pair was graded")

    monkeypatch.setattr("experiments.grading.__main__.our_words", graded)
    asked = ["--pairs", str(file(tmp_path, HALF)), "--ours", "--out"]
    page = tmp_path / "page.md"
    page.write_text("no markers")
    for path, told in ((page, "table:grading"), (tmp_path / "none.md", "No such file"), (tmp_path, "Is a directory")):
        assert main([*asked, str(path)]) == 2
        assert told in capsys.readouterr().err
    page.write_text("<!-- table:grading -->\n<!-- /table:grading -->\n")
    opened = Path.open

    def refused(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        if path == page and mode != "r":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode, *more, **named)

    with monkeypatch.context() as denied:
        denied.setattr(Path, "open", refused)
        assert main([*asked, str(page)]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_a_function_of_ones_own_stands_beside_and_a_missing_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import os, time\n"
        "def always(reference, answer):\n    print('noise')\n    return True\n"
        "def fails(reference, answer):\n    return 1 / 0\n"
        "def ends(reference, answer):\n    os._exit(1) if answer == '0.5' else None\n    return answer == reference\n"
        "def hangs(reference, answer):\n    time.sleep(600)\n"
    )
    monkeypatch.chdir(tmp_path)
    pairs = read_pairs(file(tmp_path, HALF, THIRD, FIVE, NOBODY))
    assert words("mine:always", pairs) == [True] * 4
    assert words("mine:fails", pairs) == [None] * 4
    assert words("mine:ends", pairs) == [None, None, True, False]
    with running("mine:hangs") as process:
        assert process.ask(pairs[0], limit=0.2) is None
        assert process.ask(pairs[0], limit=0.2) is None  # it was started again
    with pytest.raises(Missing, match="nothing_of_this_name"):
        words("nothing_of_this_name:same", pairs, (sys.executable, sys.executable))


def test_math_verify_stands_beside_and_what_is_not_installed_is_named(tmp_path: Path) -> None:
    pairs = read_pairs(file(tmp_path, HALF, THIRD, FIVE, NOBODY))
    plain = words("math-verify, both boxed", pairs)
    assert plain[:3] == [True, False, True]
    text = markdown(Compared(tuple(pairs), {OURS: [True, False, True, None], "boxed": plain}, {"other": "no module"}))
    assert "| boxed | 0 of 2 |" in text and "Not installed where this was made: other: no module." in text
