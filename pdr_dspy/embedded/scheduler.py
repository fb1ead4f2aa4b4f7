"""The engine's own loop body: jobs wait, run and end; the thinking cap is enforced between steps.

Knows no OpenVINO (the `Pipeline` is a protocol, see `pipeline.py`), no process and no text. The pipeline below does
the real work: paged attention, continuous batching, prefix caching, sampling. What is added here:

- A queue in front of it that lets a job in only when the cache has room for all it may ever need. The pipeline can
  take in more and preempt, but where preempted and cancelled sequences met, later ones read wrong cache blocks
  (seen with openvino-genai 2026.4.1: same seed, other tokens).
- Thinking that is closed after a number of tokens. The pipeline has no hook for that, so the sequence is cancelled
  there and goes on as a new one whose prompt is all that stands so far (its keys and values are in the prefix cache).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from .jobs import KV_BLOCK_TOKENS, Cancel, Command, Drawn, Finish, Job, Progress, Sampling
from .thinking import ThinkingState

_SEEDS = 2**32
_GOLDEN = 0x9E3779B9  # an odd constant far from small numbers: the continuation's seed meets no neighbouring choice's


class Stream(Protocol):
    """One sequence in the pipeline."""

    def read(self) -> Drawn:
        """What is new since the last read."""

    def cancel(self) -> None:
        """Drop the sequence from the pipeline."""


class Pipeline(Protocol):
    """What generates."""

    @property
    def logprobs(self) -> bool:
        """Whether the log-probability of each token is told, in the distribution that it was drawn from."""

    def add(self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]) -> Stream:
        """Start one sequence. An exception is for this sequence alone: the pipeline refuses it."""

    def step(self) -> None:
        """Generate one more token for every running sequence."""


class _Run:
    """A job that runs."""

    __slots__ = ("blocks", "job", "logprobs", "produced", "reported", "segment", "state", "stream")

    def __init__(self, job: Job, blocks: int) -> None:
        self.job = job
        self.blocks = blocks
        self.produced: list[int] = []
        self.logprobs: list[float] = []
        self.reported = 0
        self.segment = 0
        self.state = ThinkingState(job.cap.tokens, job.cap.open_at_start) if job.cap else None
        self.stream: Stream | None = None

    def must_close(self) -> bool:
        cap, state = self.job.cap, self.state
        return cap is not None and state is not None and state.inside and state.thought >= cap.limit

    def take(self, token: int, logprob: Sequence[float]) -> None:
        """Go on by a token and, where the pipeline tells, its log-probability."""
        self.produced.append(token)
        self.logprobs.extend(logprob)
        if self.state is not None:
            self.state.feed(token)

    def report(self, finish: Finish | None = None, detail: str = "") -> Progress:
        since, self.reported = self.reported, len(self.produced)
        tokens, logprobs = tuple(self.produced[since:]), tuple(self.logprobs[since:])
        return Progress(self.job.id, tokens, finish, detail, logprobs)


class Scheduler:
    """Jobs in, progress out.

    Args:
        pipeline: What generates.
        max_num_seqs: Jobs that run at once; the others wait in order of arrival.
        kv_blocks: Size of the pipeline's cache; a job waits until what it may come to need is free.
    """

    def __init__(self, pipeline: Pipeline, max_num_seqs: int, kv_blocks: int) -> None:
        self._pipeline = pipeline
        self._slots = max_num_seqs
        self._blocks = kv_blocks
        self._free = kv_blocks
        self._dropped = 0  # blocks of cancelled sequences, which the pipeline frees only at its next step
        self._waiting: deque[Job] = deque()
        self._running: dict[int, _Run] = {}
        self._news: list[Progress] = []

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do and nothing to report."""
        return not (self._waiting or self._running or self._news or self._dropped)

    def accept(self, command: Command) -> None:
        """Take a job, or drop one. A job that has ended already is dropped in silence: the two messages crossed."""
        if isinstance(command, Cancel):
            self._cancel(command.id)
        else:
            self._waiting.append(command)

    def step(self) -> list[Progress]:
        """Admit what fits, generate one token for every running job, and return the news.

        A job that is admitted is reported once with no tokens: from then on it runs.
        """
        while self._waiting and len(self._running) < self._slots:
            blocks = _blocks(self._waiting[0])
            if blocks > self._free:
                break
            self._free -= blocks
            run = _Run(self._waiting.popleft(), blocks)
            self._running[run.job.id] = run
            self._news.append(Progress(run.job.id))
            if run.must_close():
                self._close_thinking(run)
            if run.job.id in self._running:
                self._start(run)
        if self._running or self._dropped:
            # Cancelled to close their thinking: they go on after the step that frees their old selves' blocks.
            closed = [run for run in self._running.values() if run.stream is None]
            freed, self._dropped = self._dropped, 0
            self._pipeline.step()
            self._free += freed
            for run in list(self._running.values()):
                if run.stream is not None:
                    self._advance(run, run.stream.read())
            for run in closed:
                self._start(run)
        news, self._news = self._news, []
        return news

    def restart(self, pipeline: Pipeline, detail: str) -> list[Progress]:
        """Go on with a fresh pipeline after a step that raised: jobs that ran end with `error`, the others wait on.

        Args:
            pipeline: Takes the old one's place. What that one holds can't be trusted any more.
            detail: What is told of the jobs that end.
        """
        self._pipeline = pipeline
        self._free, self._dropped = self._blocks, 0
        news, self._news = self._news, []
        news += [run.report("error", detail) for run in self._running.values()]
        self._running.clear()
        return news

    def abandon(self) -> None:
        """Drop every job, without news, when nobody is left to hear them."""
        for run in self._running.values():
            if run.stream is not None:
                run.stream.cancel()
        self._running.clear()
        self._waiting.clear()
        self._news.clear()

    def _cancel(self, job: int) -> None:
        run = self._running.get(job)
        if run is None:
            if any(waiting.id == job for waiting in self._waiting):
                self._waiting = deque(waiting for waiting in self._waiting if waiting.id != job)
                self._news.append(Progress(job, finish="abort"))
            return
        if run.stream is not None:
            run.stream.cancel()
        self._end(run, "abort", dropped=True)

    def _advance(self, run: _Run, new: Drawn) -> None:
        """Take a running job's new tokens; close its thinking, report it or end it, as they ask."""
        finish = new.finish
        for place, token in enumerate(new.tokens):
            run.take(token, new.logprobs[place : place + 1])
            if finish is None and run.must_close():
                break
        if finish is not None:
            self._end(run, finish, "the engine dropped the sequence (out of cache)" if finish == "error" else "")
            return
        if run.must_close():
            self._close_thinking(run)
        if run.job.id in self._running and self._due(run):
            self._news.append(run.report())

    def _due(self, run: _Run) -> bool:
        return len(run.produced) > run.reported and (run.job.eager or run.reported == 0)

    def _close_thinking(self, run: _Run) -> None:
        assert run.job.cap is not None
        if run.stream is not None:
            run.stream.cancel()
            run.stream = None
        run.take(run.job.cap.tokens.end, (0.0,) if self._pipeline.logprobs else ())
        if len(run.produced) >= run.job.max_tokens:
            self._end(run, "length", dropped=True)

    def _start(self, run: _Run) -> None:
        job = run.job
        seed = (job.sampling.seed + run.segment * _GOLDEN) % _SEEDS
        run.segment += 1
        try:
            run.stream = self._pipeline.add(
                (*job.prompt, *run.produced),
                replace(job.sampling, seed=seed),
                job.max_tokens - len(run.produced),
                job.stop_ids,
            )
        except Exception as problem:  # whatever a binding raises for a value that it can't take
            self._end(run, "error", str(problem))

    def _end(self, run: _Run, finish: Finish, detail: str = "", *, dropped: bool = False) -> None:
        del self._running[run.job.id]
        if dropped:
            self._dropped += run.blocks
        else:
            self._free += run.blocks
        self._news.append(run.report(finish, detail))


def _blocks(job: Job) -> int:
    # One to spare: the pipeline takes a sequence's next block a step before its last token.
    return -(-(len(job.prompt) + job.max_tokens) // KV_BLOCK_TOKENS) + 1
