"""`python -m experiments.grading.speed`: how many easy answers math-verify's workers settle in a second.

A machine is seldom quiet, so that beside the answers a second there is what they cost in CPU time, from which follows
what two cores with nothing else to do would settle. Needs Linux's /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pdr_dspy.answers.mathpool import MathPool
from pdr_dspy.answers.mathtext import wrapped

WORKERS = 2
Case = tuple[str, str, bool]
"""Reference, answer, and whether they are equal."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What some answers took.

    Attributes:
        name: What they are like.
        answers: How many.
        wrong: How many were judged wrongly, or not at all.
        wall: Seconds.
        workers: Seconds of CPU time in the workers.
        here: Seconds of CPU time in this process.
    """

    name: str
    answers: int
    wrong: int
    wall: float
    workers: float
    here: float

    @property
    def quiet(self) -> float:
        """Answers a second on as many quiet cores as there are workers: where none of them waits."""
        return WORKERS * self.answers / (self.workers + self.here)


def _fraction(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return rf"\frac{{{a}}}{{{b}}}", rf"\frac{{{(a + more) * c}}}{{{b * c}}}"


def _decimal(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return rf"\frac{{{a * b * c}}}{{8}}", str((a * b * c + more) / 8)


def _integer(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return str(a * b * c), rf"{a * b * c + more}.0"


def _root(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * b + more}}}"


def _sum_with_root(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return rf"{a}+{b}\sqrt{{{c}}}", rf"{b}\sqrt{{{c}}}+{a + more}"


def _multiple_of_pi(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return rf"\frac{{{a}\pi}}{{{b}}}", rf"{a + more}\pi/{b}"


def _pair(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return rf"\left({a},-\frac{{{b}}}{{{c}}}\right)", f"({a + more}, -{b}/{c})"


def _list(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return f"{a},{b + 50},{c + 100}", f"{c + 100},{a},{b + 50 + more}"


def _interval(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return f"[{-a},{b})", rf"\left[-{a + more},{b}\right)"


def _polynomial(a: int, b: int, c: int, more: int) -> tuple[str, str]:
    return f"{a}x^2+{b}", f"{b + more}+{a}x^{{2}}"


KINDS: dict[str, Callable[[int, int, int, int], tuple[str, str]]] = {
    "integers": _integer,
    "fractions": _fraction,
    "decimals": _decimal,
    "roots": _root,
    "sums with roots": _sum_with_root,
    "multiples of pi": _multiple_of_pi,
    "pairs": _pair,
    "lists": _list,
    "intervals": _interval,
    "polynomials": _polynomial,
}


def cases(kinds: Sequence[str], count: int, seed: int) -> Iterator[Case]:
    """Pairs whose truth is known as they are made, of each kind in turn: three in five equal, none twice."""
    draw = random.Random(seed)
    seen: set[tuple[str, str]] = set()
    while len(seen) < count:
        a, b, c = (draw.randint(2, 40) for _ in range(3))
        more = 0 if draw.random() < 0.6 else draw.randint(1, 3)
        pair = KINDS[kinds[len(seen) % len(kinds)]](a, b, c, more)
        if pair not in seen:
            seen.add(pair)
            yield (*pair, not more)


async def measured(pool: MathPool, name: str, asked: Sequence[Case]) -> Speed:
    """Ask a pool that has started for all at once, as the graders do."""
    workers, here, wall = _worked(pool.pids), time.process_time(), time.monotonic()
    replies = await asyncio.gather(*(pool.verify(wrapped(one), wrapped(other)) for one, other, _ in asked))
    wall, here = time.monotonic() - wall, time.process_time() - here
    wrong = sum(
        bool(reply.problem) or reply.equal is not equal for reply, (_, _, equal) in zip(replies, asked, strict=True)
    )
    return Speed(name, len(asked), wrong, wall, _worked(pool.pids) - workers, here)


async def speeds(count: int) -> list[Speed]:
    """All kinds together, then each.

    Args:
        count: Answers of each kind.
    """
    pool = MathPool(WORKERS)
    names = list(KINDS)
    try:
        await measured(pool, "", list(cases(names, 20 * len(names), 0)))  # starts them
        found = [await measured(pool, "all", list(cases(names, count * len(names), 1)))]
        for name in names:
            found.append(await measured(pool, name, list(cases([name], count, 2))))
        return found
    finally:
        pool.close()


def table(found: Sequence[Speed]) -> str:
    """As text, a line each."""
    lines = [f"{'answers':<16}{'number':>7}{'wrong':>7}{'a second':>10}{'CPU ms each':>13}{'two quiet cores':>17}"]
    for each in found:
        cost = 1000 * (each.workers + each.here) / each.answers
        second = each.answers / each.wall
        lines.append(f"{each.name:<16}{each.answers:>7}{each.wrong:>7}{second:>10.0f}{cost:>13.2f}{each.quiet:>17.0f}")
    return "\n".join(lines)


def _worked(pids: Sequence[int]) -> float:
    """Seconds of CPU time of some processes."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) for pid in pids) / 1e9


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.grading.speed", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="answers of each kind (default: 500)")
    print(table(asyncio.run(speeds(parser.parse_args(arguments).count))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
