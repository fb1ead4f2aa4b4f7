"""What a person sees while a search runs: the front so far, problems done, tokens a second, spend, time left, failures.

On a terminal a few lines that renew themselves; elsewhere a plain line a trial and a sign of life now and then.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from optimize.objectives.criteria import Cost, Latency, Objectives
from optimize.objectives.front import Point
from optimize.objectives.measurement import Measurement
from optimize.reporting.diagnosis import diagnosis
from optimize.reporting.numbers import counts, share
from optimize.reporting.running_front import RunningFront, failures_text
from pdr_dspy.terminal import beneath, printable, printable_stream

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

WINDOW = 15.0
"""Seconds over which tokens a second are averaged."""

PULSE = 20.0
"""Seconds between signs of life where there is no terminal."""

SHOWN = 6
"""Members of the front that are shown at most."""


class Progress:
    """The display of one phase; a context manager.

    Args:
        phase: What is going on: `search`, `report`.
        total: Trials it will have.
        problems: Problems of a trial.
        latency: How latency is measured.
        costs: What is weighed against accuracy.
        tokens: Says how many tokens were generated so far (not replayed).
        done: Trials that an earlier run has done.
        seconds: Time limit, or None.
        spent: Says what the study has spent, in words.
        calls: Says how many requests brought no answer so far, by kind.
        keeps: Whether a point may be on the front (limits that a user gave).
        out: Where to write.
        formats: Formats the model is asked in: once, where not one problem of a trial has an answer, it is said why.
            None: that is not said here.
    """

    def __init__(
        self,
        phase: str,
        *,
        total: int,
        problems: int,
        latency: Latency,
        tokens: Callable[[], int],
        done: int = 0,
        seconds: float | None = None,
        spent: Callable[[], str] = lambda: "",
        calls: Callable[[], Mapping[str, int]] = dict,
        keeps: Callable[[Point], bool] = lambda point: True,
        out: TextIO | None = None,
        costs: tuple[Cost, ...] = ("latency",),
        formats: Sequence[str] | None = None,
    ) -> None:
        self.phase = phase
        self.total = total
        self.done = done
        self._before = done
        self._problems = problems
        self._objectives = Objectives(latency, costs)
        self._tokens = tokens
        self._seconds = seconds
        self._spent = spent
        self._out = out or sys.stderr
        self._running: dict[int, tuple[str, int]] = {}
        self._calls = calls
        self._keeps = keeps
        self._front = RunningFront(self._objectives)
        self._titles: dict[int, str] = {}
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self._began, tokens())])
        self._live: Live | None = None
        self._formats = formats
        self._halt = threading.Event()
        self._heartbeat: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._out.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(file=beneath(self._out))
            self._live = Live(get_renderable=self._text, console=console, refresh_per_second=4, transient=True)
            self._live.start()
            # Until it stops, rich prints above its lines what goes to the streams, with escape sequences and all.
            sys.stdout, sys.stderr = printable_stream(sys.stdout), printable_stream(sys.stderr)
        else:
            self._heartbeat = threading.Thread(target=self._beat, name="progress", daemon=True)
            self._heartbeat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._halt.set()
        if self._live is not None:
            self._live.stop()
        if self._heartbeat is not None:
            self._heartbeat.join()

    def seen(self, title: str, point: Point) -> None:
        """Take in what an earlier run found (within the limits)."""
        with self._lock:
            self._front.add(point, title)

    def started(self, number: int, title: str) -> None:
        """A trial began."""
        with self._lock:
            self._running[number] = (title, 0)
            self._titles[number] = title

    def problem(self, number: int, failure: str | None = None) -> None:
        """A problem of a trial is done; `failure` is the kind, where it was left without an answer."""
        with self._lock:
            if failure is not None:
                self._front.failures[failure] += 1
            if number in self._running:
                title, count = self._running[number]
                self._running[number] = (title, count + 1)

    def ended(self, number: int, measured: Measurement) -> None:
        """A trial has its values."""
        with self._lock:
            self._running.pop(number, None)
            self.done += 1
            name = self._titles[number]
            point = measured.point(self._objectives)
            candidate = not measured.given_up and measured.metrics["sum_calls"] > 0 and self._keeps(point)
            leads = candidate and self._front.add(point, name)
        notes = [
            "on the front" if leads else "",
            f"({counts(measured.failures)})" if measured.failures else "",
            *_beside(measured.metrics),
            f"given up: {measured.given_up}" if measured.given_up else "",
        ]
        numbers = (
            f"{100 * measured.accuracy:5.1f} %",
            f"p50 {measured.p50:.2f} s",
            f"path {measured.metrics['mean_seq_generated']:.0f} tok",
        )
        told = (f"{self.phase} {self.done}/{self.total}", *numbers, name, *(note for note in notes if note))
        self.line("  ".join(told))
        if self._formats is not None and sum(measured.failures.values()) == measured.count:
            self.line(f"{name}: {diagnosis([measured], self._formats)}")
            self._formats = None  # once, while there is much to be saved

    def repeated(self, number: int, original: int) -> None:
        """A trial was answered with the values of an equal one; not worth a line."""

    def dropped(self, number: int) -> None:
        """A trial was interrupted."""
        with self._lock:
            self._running.pop(number, None)

    def line(self, text: str) -> None:
        """A line that stays."""
        if self._live is not None:
            self._live.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
        else:
            print(printable(text), file=self._out, flush=True)

    def status(self) -> str:
        """The state in a line: done, rate, time left, spend, failures, the front so far."""
        with self._lock:
            now = time.monotonic()
            return "  ".join(part for part in (self._pace(now), self._failed(), self._front.line(SHOWN)) if part)

    def _text(self) -> Text:
        """The state in a few lines, for a terminal."""
        from rich.text import Text

        with self._lock:
            lines = [part for part in (self._pace(time.monotonic()), self._failed()) if part]
            members = self._front.front(SHOWN)
            places = [self._front.place(member.point) for member in members]
            width = max(map(len, places), default=0)
            lines += ["front so far:"] if members else []
            lines += [f"  {place:>{width}}  {m.title}" for place, m in zip(places, members, strict=True)]
            rows = self._running.values()
            lines += [f"  {_bar(n, self._problems)} {n:>3}/{self._problems}  {title}" for title, n in rows]
        return Text(printable("\n".join(lines)), no_wrap=True, overflow="ellipsis")

    def _pace(self, now: float) -> str:
        parts = [f"{self.phase} {self.done}/{self.total}", f"{self._rate(now):,.0f} tok/s", self._left(now)]
        return "  ".join([*parts, *filter(None, [self._spent()])])

    def _failed(self) -> str:
        return failures_text(self._front.failures, self._calls())

    def _rate(self, now: float) -> float:
        self._samples.append((now, self._tokens()))
        while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW:
            self._samples.popleft()
        (then, before), (_, after) = self._samples[0], self._samples[-1]
        return (after - before) / max(now - then, 1e-3)

    def _left(self, now: float) -> str:
        elapsed = now - self._began
        part = sum(n for _, n in self._running.values()) / max(1, self._problems)
        share = self.done - self._before + part
        rest = elapsed / share * (self.total - self._before - share) if share > 0.2 else None
        if self._seconds is not None:
            limit = max(0.0, self._seconds - elapsed)
            rest = limit if rest is None else min(rest, limit)
        return "time left ?" if rest is None else f"time left {clock(max(0.0, rest))}"

    def _beat(self) -> None:
        while not self._halt.wait(PULSE):
            with self._lock:
                done = ", ".join(f"{n}/{self._problems}" for _, n in self._running.values())
            self.line(f"... {self.status()}" + (f"  (running: {done} problems)" if done else ""))


def _beside(metrics: Mapping[str, float]) -> list[str]:
    told = {"read leniently": metrics.get("read_leniently", 0.0), "fallbacks": metrics.get("fallbacks", 0.0)}
    return [f"{name} {share(value)}" for name, value in told.items() if value]


def _bar(done: int, total: int, width: int = 16) -> str:
    filled = round(width * min(1.0, done / max(1, total)))
    return "█" * filled + "░" * (width - filled)


def clock(seconds: float) -> str:
    """Seconds as people read them: `0:07`, `12:30`, `1:02:03`."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
