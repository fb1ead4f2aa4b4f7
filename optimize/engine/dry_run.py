"""What a search would do, without doing it: its problems, the space, and the calls and tokens it may take. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from optimize.inputs.problems import Problems
from optimize.objectives.loads import problems_at
from optimize.reporting.numbers import amount
from optimize.request.search import SearchRequest
from optimize.space.estimate import Estimate, estimate
from optimize.space.shapes import Choice
from optimize.space.space import Space
from optimize.space.title import cap_text, title
from pdr_dspy.data.showing import described

DRAWS = 300
"""Points of the space whose plans the estimate is a mean of."""


@dataclass
class RandomChoices:
    """Random choices."""

    rng: random.Random

    def suggest_categorical(self, name: str, choices: Sequence[Choice]) -> Choice:
        """Any of the choices."""
        return self.rng.choice(list(choices))


def describe(space: Space, request: SearchRequest, problems: Problems, *, model: str) -> str:
    """The text of `--dry-run`."""
    sizes, samples, objectives = request.sizes, request.samples, request.objectives
    dice = RandomChoices(random.Random(request.seed))
    draws = [space.suggest(dice) for _ in range(DRAWS)]
    baselines = space.baselines()
    each = len(problems.search) * samples
    mean = Estimate(fmean(c.plan.calls for c in draws), fmean(c.plan.total_tokens for c in draws))
    rest = max(0, sizes.trials - len(baselines)) * each
    based = estimate(list(baselines.values()), each)
    rows = [
        (
            "search",
            f"{sizes.trials} trials x {each} runs",
            based.calls + rest * mean.calls,
            based.tokens + rest * mean.tokens,
        ),
    ]
    for load, count in problems_at(request.load, len(problems.report)).items():
        final = count * samples
        reported = estimate(list(baselines.values()), final)
        members = sizes.front * final
        rows.append(
            (
                "report",
                f"{sizes.front} + {len(baselines)} workflows x {final} runs"
                + (f" at load {load}" if request.load[1:] else ""),
                reported.calls + members * mean.calls,
                reported.tokens + members * mean.tokens,
            )
        )
    width = max(36, *(len(what) for _, what, _, _ in rows))
    lines = [
        described(problems.whole, style=space.formats[0], rule=problems.rule),
        "",
        f"study      {request.name}",
        f"model      {model}, context {space.context or 'unknown'}",
        f"budget     {space.budget} a problem",
        f"problems   {len(problems.search)} of {problems.search_all} for the search, {len(problems.report)} of "
        f"{problems.report_all} others for the report ({problems.spec})",
        f"objectives {', '.join(f'{n} ({objectives.latency})' if n == 'latency' else n for n in objectives.names)}",
        f"time limit {f'{sizes.timeout:.0f} s for the search' if sizes.timeout else 'none'}",
        "",
        "space",
        *(
            f"  {dimension:<16} {', '.join(_show(dimension, c) for c in choices)}"
            for dimension, choices in space.dimensions().items()
        ),
        "",
        "baselines, measured first",
        *(f"  {title(candidate, baseline)}" for baseline, candidate in baselines.items()),
        "",
        "expected (tokens are what may be generated at most; drafts that end by themselves take fewer)",
        *(
            f"  {phase:<7} {what:<{width}} about {amount(calls):>6} calls, at most about {amount(tokens):>6} tokens"
            for phase, what, calls, tokens in rows
        ),
        "",
        "nothing was generated",
    ]
    return "\n".join(lines)


def _show(dimension: str, choice: Choice) -> str:
    if dimension == "cap":
        return cap_text(int(choice))
    return str(choice) if not isinstance(choice, float) else f"{choice:g}"
