"""What the questions' tests share: a small configuration, a model that is right by a hash, a silent tracker."""

from __future__ import annotations

import random
from typing import Any, ClassVar

from fakes import stages
from fakes.vllm import Call

SMALL = """
name: small
about: a little of everything
load: 8
sampling: {temperature: 0.7}
sets:
  P:
    data: DATA
    levels: [{name: short, thinking: 40, answer: 40, last_answer: 60}]
    usual: {thinking: 20, answer: 10, distill: 6, pick: 3, analyse: 5}
frontier:
  - set: P
    search: 4
    report: 5
    claims_on: 8
    families:
      long_cot:
        - {name: cot_20, rounds: [{width: 1, thinking: 20, answer: 60}]}
        - {name: cot_400, rounds: [{width: 1, thinking: 400, answer: 60}]}
      pdr: [{name: pdr_3, rounds: [{width: 3, distill: {kind: summary, tokens: 32}}, {width: 1}]}]
      majority: [{name: majority_3, close: vote, rounds: [{width: 3}]}]
    rivals: [{family: long_cot, meter: seq_generated}, {family: majority, meter: b_total}]
    claims:
      - {says: it works, strategy: pdr, against: long_cot, meter: seq_generated, least: 0}
      - {says: it is neither hopeless nor solved, strategy: long_cot, least: 5, most: 95}
distillers: {set: P, search: 3, report: 4, widths: [3, 2], kappa: [64, 128], k: [2]}
oracle:
  set: P
  problems: 6
  strategy: {name: pdr_3, rounds: [{width: 3, distill: {kind: summary, tokens: 32}}, {width: 1}]}
training:
  sets:
    - set: P
      problems: 4
      strategies:
        - {name: cot, rounds: [{width: 1}]}
        - {name: pdr, rounds: [{width: 3, distill: {kind: summary, tokens: 32}}, {width: 1}]}
        - {name: vote, close: vote, rounds: [{width: 3, thinking: 30}]}
      compared: [{strategy: pdr, against: [cot, vote], meter: b_total}]
"""

TWO_SETS = (
    SMALL.replace(
        "frontier:\n",
        """\
  Q:
    data: DATA
    levels: [{name: long, thinking: 60, answer: 60}]
    usual: {thinking: 40, answer: 10, distill: 6, pick: 3, analyse: 5}
frontier:
""",
        1,
    )
    + """\
    - set: Q
      problems: 3
      strategies: [{name: cot, rounds: [{width: 1}]}]
"""
)
"""The same with question 4 on a second set as well."""


def problems(count: int) -> str:
    """`count` problems `say N` as JSONL."""
    return "".join(f'{{"problem": "say {i}", "answer": "{i}"}}\n' for i in range(1, count + 1))


def solve(call: Call) -> str:
    """An answer to any stage of `say N`: right now and then, more often when it refines."""
    stage = stages.stage_of(call)
    if stage not in ("draft", "refine"):
        return str(stages.by_stage(call))
    dice = random.Random(f"{call.body['seed']}{call.prompt}")
    wanted = stages.field(call, "problem").split()[-1]
    return stages.fields(solution=stage, answer=wanted if dice.random() < (0.8 if stage == "refine" else 0.4) else "0")


class Silent:
    """A tracker that keeps what it is told."""

    made: ClassVar[list[Silent]] = []

    def __init__(self, root: Any, study: str, tags: Any) -> None:
        self.study, self.tags = study, dict(tags)
        self.trials: list[int] = []
        self.closed: list[tuple[str, dict[str, Any]]] = []
        Silent.made.append(self)

    def ready(self) -> None:
        """Always."""

    async def trial(self, number: int, candidate: Any, title: str, measured: Any, started: float) -> str:
        """Keep its number."""
        self.trials.append(number)
        return str(number)

    def close(self, status: str, **more: Any) -> None:
        """Keep the end."""
        self.closed.append((status, more))
