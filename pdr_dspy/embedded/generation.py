"""One chat request inside the server: its n choices in the engine, their transcripts, and what is counted for them.

Everything is counted at one place, where the engine's news of a choice arrives, so that `usage` and `/metrics` can't
drift apart.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from .api_errors import ApiError, internal
from .engine import Engine
from .jobs import Job, Progress
from .metrics import Metrics
from .transcript import Delta, Transcript

_IDS = itertools.count()
_LOG = logging.getLogger(__name__)


def next_job_id() -> int:
    """A fresh number for a job."""
    return next(_IDS)


class Choice:
    """One choice of a request.

    Attributes:
        index: Its number in the response.
        job: What the engine was asked for.
        transcript: Its text so far.
        tokens: Its tokens so far, as many as the transcript counts.
        logprobs: Their log-probabilities, where the engine tells them.
    """

    def __init__(self, index: int, job: Job, transcript: Transcript) -> None:
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.index = index
        self.job = job
        self.transcript = transcript


class Generation:
    """A request's choices, running.

    Args:
        engine: Where they run.
        metrics: Where they are counted.
        prompt: Token ids of the prompt.
        choices: The choices; their jobs are submitted by `start`.
    """

    def __init__(self, engine: Engine, metrics: Metrics, prompt: Sequence[int], choices: Sequence[Choice]) -> None:
        self._engine = engine
        self._metrics = metrics
        self._began = time.perf_counter()
        self._news: asyncio.Queue[tuple[Choice, Delta] | ApiError] = asyncio.Queue()
        self.prompt = prompt
        self.prompt_tokens = len(prompt)
        self.choices = tuple(choices)

    def start(self) -> None:
        """Submit all choices."""
        for choice in self.choices:
            self._engine.submit(choice.job, partial(self._take, choice))

    async def deltas(self) -> AsyncIterator[tuple[Choice, Delta]]:
        """New text until every choice has ended.

        Raises:
            ApiError: The engine failed.
        """
        left = len(self.choices)
        while left:
            news = await self._news.get()
            if isinstance(news, ApiError):
                raise news
            left -= news[1].last
            yield news

    def close(self) -> None:
        """Drop from the engine what still runs."""
        for choice in self.choices:
            if choice.transcript.finish is None:
                self._engine.cancel(choice.job.id)

    def usage(self) -> dict[str, Any]:
        """Tokens so far, as the API reports them: the prompt once, the choices' tokens summed."""
        completion = sum(choice.transcript.tokens for choice in self.choices)
        usage: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
        }
        if reasoning := sum(choice.transcript.reasoning_tokens for choice in self.choices):
            usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
        return usage

    def _take(self, choice: Choice, progress: Progress) -> None:
        if choice.transcript.finish is not None:
            return  # a stop string has ended it; what the engine drew beyond that does not count
        try:
            self._count(choice, progress)
        except Exception as problem:  # a decoder can fail on tokens that a model draws: this request's fault alone
            choice.transcript.finish = "error"
            self._metrics.finished["error"] += 1
            if progress.finish is None:
                self._engine.cancel(choice.job.id)
            _LOG.exception("reading what the engine drew")
            self._news.put_nowait(internal(f"what the model drew can't be read ({type(problem).__name__}: {problem})"))

    def _count(self, choice: Choice, progress: Progress) -> None:
        transcript = choice.transcript
        before, seconds = transcript.tokens, time.perf_counter() - self._began
        delta = transcript.feed(progress.tokens, progress.finish)
        new = transcript.tokens - before
        choice.tokens += progress.tokens[:new]
        choice.logprobs += progress.logprobs[:new]
        self._metrics.generation_tokens += new
        if transcript.tokens and not before:
            self._metrics.first_token.observe(seconds)
            if sum(c.transcript.tokens > 0 for c in self.choices) == 1:
                self._metrics.prompt_tokens += self.prompt_tokens
        if transcript.finish is not None:
            self._metrics.finished[transcript.finish] += 1
            self._metrics.end_to_end.observe(seconds)
            if progress.finish is None:
                self._engine.cancel(choice.job.id)
        if progress.finish == "error":
            self._news.put_nowait(internal(progress.detail))
        else:
            self._news.put_nowait((choice, delta))
