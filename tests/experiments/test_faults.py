"""The table of faults: what it counts, and where it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.faults.__main__ import CAP, Tried, report, run, tried
from pdr_dspy.errors import DataError


def test_an_answer_that_is_lost_is_booked_and_said() -> None:
    from fakes.counting import CountingVLLM, Fault

    with CountingVLLM() as server:
        lost = tried("504", Fault("status", status=504), server)
    # Three calls fail once, then answer; three fail thrice. Twelve tokens each, and those of the probe.
    assert (lost.held, lost.calls, lost.answered, lost.typed, lost.raw) == (1, 6, 3, 3, 0)
    assert lost.generated >= 15 * 12
    assert lost.lost == 12 * CAP
    assert lost.booked == lost.counted + lost.lost


def test_kinds_are_summed() -> None:
    one = Tried(faults=1, held=1, calls=6, generated=1000)
    both = one + replace(one, held=0)
    assert (both.faults, both.held, both.generated) == (2, 1, 2000)
    assert report({"a kind": both}).splitlines()[-1].startswith("| a kind | 2 | 1 | 12 | 0 | 0 | 0 | 2,000 |")


def test_a_page_without_a_place_is_told_before_anything_is_tried(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing", encoding="utf-8")
    with pytest.raises(DataError, match="table:faults"):
        run(page)
