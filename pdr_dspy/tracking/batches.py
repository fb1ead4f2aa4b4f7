"""Writes params, tags and metrics of a run within what its server takes, which no server says.

MLflow's servers have taken 250, 500 and 6,000 characters of a param over the years, 5,000 and 8,000 of a tag, and say
so in words of their own. So what is refused is written shorter, and what is still refused in halves, until what can't
be written costs itself alone. What was cut or refused is given back whole: nothing is lost silently.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pdr_dspy.tracking.text import PARAM_LENGTH, TAG_LENGTH, clean, cut, finite

LENGTHS = ((PARAM_LENGTH, TAG_LENGTH), (500, 5000), (250, 250))
"""Characters of a param and of a tag that servers take, the newest first."""

_COUNT = 100  # params, and tags, that MLflow takes at once
_SIZE = 500_000  # characters of a batch; MLflow takes a million bytes
_REFUSED = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST", "RESOURCE_EXHAUSTED")


class Written(NamedTuple):
    """One entry of a batch; `value` is whole."""

    kind: Literal["metric", "param", "tag"]
    name: str
    value: Any


@dataclass
class Left:
    """What was not written as it is.

    Attributes:
        long: Names of params and tags that were cut, with their whole texts.
        refused: What the server did not take at all, and what it said.
    """

    long: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[Written, Exception]] = field(default_factory=list)


class Batches:
    """Writes to runs; remembers how long values may be.

    Args:
        client: The MLflow client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._step = 0

    def write(
        self, run: str, metrics: Mapping[str, float], params: Mapping[str, Any], tags: Mapping[str, Any]
    ) -> tuple[Left, list[str]]:
        """Write to a run.

        Returns:
            What was not written as it is, and names of metrics that are not finite (written nowhere).
        """
        good, odd = finite(metrics)
        entries = [
            *(Written("metric", name, value) for name, value in good.items()),
            *(Written("param", name, value) for name, value in clean(params).items()),
            *(Written("tag", name, value) for name, value in clean(tags).items()),
        ]
        left = Left()
        for part in _parts(entries):
            self._put(run, part, left)
        return left, odd

    def _put(self, run: str, part: Sequence[Written], left: Left) -> None:
        from mlflow.exceptions import MlflowException

        for step in range(self._step, len(LENGTHS)):
            if step > self._step and not _longer(part, step):
                continue  # it would be the same again
            try:
                self._send(run, part, step)
            except MlflowException as error:
                if error.error_code not in _REFUSED or self._client.get_run(run).info.lifecycle_stage != "active":
                    raise
                said = error
            else:
                self._step = step
                left.long.update({one.name: one.value for one in _longer(part, step)})
                return
        if len(part) == 1:
            left.refused.append((part[0], said))
            return
        middle = len(part) // 2
        self._put(run, part[:middle], left)
        self._put(run, part[middle:], left)

    def _send(self, run: str, part: Sequence[Written], step: int) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now, (param, tag) = round(time.time() * 1000), LENGTHS[step]
        self._client.log_batch(
            run,
            metrics=[Metric(one.name, one.value, now, 0) for one in part if one.kind == "metric"],
            params=[Param(one.name, cut(one.value, param)) for one in part if one.kind == "param"],
            tags=[RunTag(one.name, cut(one.value, tag)) for one in part if one.kind == "tag"],
            synchronous=True,  # else MLFLOW_ENABLE_ASYNC_LOGGING would have failures pass unseen
        )


def _longer(part: Sequence[Written], step: int) -> list[Written]:
    """What of a batch is longer than a server takes."""
    param, tag = LENGTHS[step]
    most = {"param": param, "tag": tag}
    return [one for one in part if one.kind in most and len(one.value) > most[one.kind]]


def _parts(entries: Sequence[Written]) -> Iterator[list[Written]]:
    """As few batches as MLflow's limits leave."""
    part: list[Written] = []
    size = 0
    for one in entries:
        weight = min(len(json.dumps(one.value)), 6 * TAG_LENGTH)
        full = sum(other.kind == one.kind for other in part) >= _COUNT
        if part and (full or size + weight > _SIZE):
            yield part
            part, size = [], 0
        part.append(one)
        size += weight
    if part:
        yield part
