"""How many easy answers math-verify's workers settle: the measurement, and the figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.grading.speed import KINDS, Speed, cases, speeds, table
from pdr_dspy.answers.mathcheck import compare

pytestmark = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs Linux's /proc")


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_of_the_cases_is_known(kind: str) -> None:
    asked = list(cases([kind], 12, 7))
    assert {equal for *_, equal in asked} == {True, False}
    for reference, answer, equal in asked:
        assert compare(reference, answer, True, 6, True) is equal


def test_quiet_cores_are_counted_from_cpu_time() -> None:
    speed = Speed("all", 1000, 0, wall=10.0, workers=1.5, here=0.5)
    assert speed.quiet == 1000
    assert table([speed]).splitlines()[1].split() == ["all", "1000", "0", "100", "2.00", "1000"]


@pytest.mark.slow
async def test_easy_answers_are_settled_fast(measured: Callable[[str], None]) -> None:
    everything, *_ = await speeds(300)
    measured(table([everything]))
    assert everything.wrong == 0
    # Two quiet cores settle 1,300 and more; beside other processes an answer takes up to twice the CPU time.
    assert everything.quiet >= 400
