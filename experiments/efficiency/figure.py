"""The comparison as a table and a plot. Pure: the same steps give the same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from experiments.efficiency.replay import Step
from experiments.questions.markdown import number, table
from experiments.questions.plots import Chart, Dot, Panel, Series
from pdr_dspy.evaluation import Interval

RESAMPLES = 10_000

FURTHER = 0.99
"""A share that only a thorough search reaches."""
SHARES = tuple(s / 100 for s in (*range(50, 100, 5), 97, 98, 99))

Steps = Mapping[str, Sequence[Sequence[Step]]]
"""Contender to its searches, one a seed."""


def tokens_to(steps: Sequence[Step], share: float) -> float:
    """Tokens a search had generated when its front first had this share of the hypervolume; infinite if never."""
    return next((float(step.tokens) for step in steps if step.share >= share), float("inf"))


def ratio(rival: Sequence[float], own: Sequence[float], seed: int = 0) -> tuple[float, Interval]:
    """Ratio of the medians, with a 95 % bootstrap interval over the seeds of both (percentile)."""
    rng = np.random.default_rng(seed)
    theirs, ours = np.array(rival), np.array(own)
    drawn = [np.median(rng.choice(values, (RESAMPLES, len(values))), axis=1) for values in (theirs, ours)]
    low, high = np.quantile(drawn[0] / drawn[1], (0.025, 0.975))
    return float(np.median(theirs) / np.median(ours)), Interval(float(low), float(high))


def as_markdown(steps: Steps, share: float) -> str:
    """The table: tokens to the share, how many times those of the first contender, and tokens to `FURTHER`."""
    own, *_ = steps
    spent = {name: [tokens_to(s, share) for s in runs] for name, runs in steps.items()}
    rows = []
    for name, tokens in spent.items():
        further = _middle([tokens_to(run, FURTHER) for run in steps[name]])
        if not np.isfinite(median(tokens)):
            rows.append([name, "never", f"{sum(np.isfinite(tokens))} of {len(tokens)} got there", "-", "-", further])
            continue
        trials = median(sum(s.share < share for s in run) + 1 for run in steps[name])
        low, high = (_middle([q]) for q in np.quantile(tokens, (0.25, 0.75), method="closest_observation"))
        times = "1" if name == own else _times(*ratio(tokens, spent[own]))
        rows.append([name, _middle(tokens), f"{low}-{high}", f"{trials:.0f}", times, further])
    columns = ["search", "tokens (median)", "quartiles", "trials (median)", "times those of pdr-dspy"]
    return table([*columns, f"tokens to {100 * FURTHER:g} %"], rows)


def _middle(tokens: Sequence[float]) -> str:
    middle = median(tokens)
    return number(middle) if np.isfinite(middle) else "never"


def as_chart(steps: Steps, name: str, title: str) -> Chart:
    """Share of the hypervolume against tokens: medians over the seeds, as far as half of them got."""
    series = []
    for contender, runs in steps.items():
        middles = {share: median(tokens_to(run, share) for run in runs) for share in SHARES}
        dots = [Dot(float(m), 100 * s, 100 * s, 100 * s) for s, m in middles.items() if np.isfinite(m)]
        series.append(Series(contender, tuple(dots)))
    panel = Panel("median over the seeds", "generated tokens", tuple(series), log=True)
    return Chart(name, title, (panel,), "share of the grid's hypervolume, %")


def _times(value: float, interval: Interval) -> str:
    return f"{value:.1f} [{interval.low:.1f}-{interval.high:.1f}]"
