"""When to try again: pure arithmetic."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.endpoint.retry import Failure, delay
from pdr_dspy.endpoint.transport import _seconds


@given(attempt=st.integers(0, 50), base=st.floats(0.001, 10), asked=st.none() | st.floats(0, 1000), seed=st.integers())
def test_delays_grow_are_bounded_and_honour_the_server(
    attempt: int, base: float, asked: float | None, seed: int
) -> None:
    waited = delay(attempt, Failure("server", "", retry_after=asked), base=base, chance=random.Random(seed))
    ceiling = min(base * 2**attempt, 30)
    assert waited >= min(asked or 0, 120)
    assert ceiling / 2 <= waited <= max(ceiling, asked or 0)


def test_a_burst_that_failed_together_does_not_come_back_together() -> None:
    chance = random.Random(1)
    assert len({delay(3, Failure("server", ""), base=0.5, chance=chance) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), ("", None), ("nan", None), ("inf", math.inf),
        ("Wed, 99 Foo 99999 99:99:99 GMT", None), ("Wed, 21 Oct 0001 07:28:00 +2359", 0.0),
    ],
)  # fmt: skip
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert _seconds(value) == seconds


def test_retry_after_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    waited = _seconds(date)
    assert waited is not None
    assert 50 < waited <= 60


@pytest.mark.parametrize("skew", [-86_400, 0, 86_400])
def test_a_date_to_wait_for_is_one_of_the_servers_clock(skew: int) -> None:
    there = datetime.now(UTC) + timedelta(seconds=skew)
    until = format_datetime(there + timedelta(seconds=60), usegmt=True)
    assert _seconds(until, format_datetime(there, usegmt=True)) == 60
    assert 50 < (_seconds(until, "no date") or 0.0) - skew <= 60 or skew < 0
