"""Counters under vLLM's names, in Prometheus' text format.

One rule differs from vLLM's and is the simpler one: a prompt is counted once for each request, also when it has
n > 1 choices, so that the counters equal the sums of the `usage` that clients were told. Tokens of a cancelled request
are counted here (they were computed), though nobody was told of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from .jobs import Finish

_E2E_BUCKETS = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
_TTFT_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160)


class Histogram:
    """Seconds, counted in buckets."""

    def __init__(self, buckets: Sequence[float]) -> None:
        self._buckets = tuple(buckets)
        self._counts = [0] * (len(self._buckets) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self._buckets, seconds)] += 1
        self._sum += seconds

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """The histogram's samples."""
        total = 0
        for bound, count in zip((*map(str, map(float, self._buckets)), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
        yield f"{name}_count{{{labels}}} {total}"
        yield f"{name}_sum{{{labels}}} {self._sum}"


class Metrics:
    """The server's counters.

    Args:
        model: Served model's name, a label on every sample.

    Attributes:
        prompt_tokens, generation_tokens: Tokens since the start.
        finished: Choices that ended, by reason.
        end_to_end: From the request's arrival to a choice's end.
        first_token: From the request's arrival to a choice's first token.
    """

    def __init__(self, model: str) -> None:
        self._labels = f'engine="0",model_name="{_escape(model)}"'
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.finished: dict[Finish, int] = dict.fromkeys(("stop", "length", "abort", "error"), 0)
        self.end_to_end = Histogram(_E2E_BUCKETS)
        self.first_token = Histogram(_TTFT_BUCKETS)

    def render(self, running: int, waiting: int) -> str:
        """All metrics as text.

        Args:
            running: Choices being generated now.
            waiting: Choices waiting for a slot.
        """
        plain: list[tuple[str, str, str, Mapping[str, float]]] = [
            ("vllm:num_requests_running", "gauge", "Choices being generated.", {"": running}),
            ("vllm:num_requests_waiting", "gauge", "Choices waiting for a slot.", {"": waiting}),
            ("vllm:prompt_tokens_total", "counter", "Prompt tokens, once a request.", {"": self.prompt_tokens}),
            ("vllm:generation_tokens_total", "counter", "Generated tokens.", {"": self.generation_tokens}),
            (
                "vllm:request_success_total",
                "counter",
                "Choices that ended.",
                {f',finished_reason="{reason}"': count for reason, count in self.finished.items()},
            ),
        ]
        lines: list[str] = []
        for name, kind, text, samples in plain:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{{{self._labels}{extra}}} {value}" for extra, value in samples.items()]
        for name, text, histogram in (
            ("vllm:e2e_request_latency_seconds", "Arrival to a choice's end.", self.end_to_end),
            ("vllm:time_to_first_token_seconds", "Arrival to a choice's first token.", self.first_token),
        ):
            lines += [f"# HELP {name} {text}", f"# TYPE {name} histogram", *histogram.lines(name, self._labels)]
        return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
