"""Rows come back from disk as they were kept, with what failed and how drafts were read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.questions.rows import Rows, row_of
from pdr_dspy.data import Problem
from pdr_dspy.evaluation import Evaluation, ProblemResult
from pdr_dspy.ledger import Meters
from pdr_dspy.modules.records import FailedCall

PROBLEM = Problem("p", {"problem": "2 + 3"}, "5")


def test_a_row_keeps_what_failed_and_how_drafts_were_read(tmp_path: Path) -> None:
    call = FailedCall("distill", 0, "truncated", "cap reached", "so far " * 100, "answers")
    meters, reads = Meters(calls=3), {"marks": 3, "boxed": 1}
    result = ProblemResult("p", 0, True, {"answer": "5"}, None, "", meters, failed_calls=(call,), reads=reads)
    row = row_of(result)
    rows = Rows(tmp_path / "rows.jsonl", [PROBLEM])
    rows.add(row)
    rows.close()
    again = Rows(tmp_path / "rows.jsonl", [PROBLEM]).kept["p", 0]
    assert again == row and again.result.outputs is None
    found = Evaluation((again.result,))
    assert (found.fallbacks, found.read_leniently) == (1.0, 0.25)
    assert len(again.result.failed_calls[0].text) < 250


@pytest.mark.parametrize("missing", [["reads", "failed_calls"], ["reads"]])
def test_a_row_of_before_is_still_read(tmp_path: Path, missing: list[str]) -> None:
    rows = Rows(tmp_path / "rows.jsonl", [PROBLEM])
    rows.add(row_of(ProblemResult("p", 0, True, None, None, "", Meters())))
    rows.close()
    plain = json.loads((tmp_path / "rows.jsonl").read_text())
    for name in missing:
        del plain[name]
    (tmp_path / "rows.jsonl").write_text(json.dumps(plain) + "\n")
    assert Rows(tmp_path / "rows.jsonl", [PROBLEM]).kept["p", 0].result.drafts == 0
