"""What goes to the server and comes back during a run of the library, kept by the place of each call in it.

The calls are the library's own, to the token: the way to the server looks on and asks for token ids besides. They
are no part of a call's key, so a stored completion is found by training and inference alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from threading import Lock
from typing import Any

from experiments.training.rollouts.tokens import Part
from pdr_dspy.caching import disable_cache
from pdr_dspy.calls import CallTag, current_tag
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.endpoint.retry import Failure
from pdr_dspy.endpoint.store import Store, StoredCompletion
from pdr_dspy.endpoint.transport import Transport

ASKED: Mapping[str, Any] = {"return_token_ids": True, "logprobs": True}
"""Fields of vLLM's that are added to every request."""

WHOLE: Mapping[str, Any] = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""The whole distribution, as the trainer computes it, where a server would take other defaults from the model's
`generation_config.json`."""


class Recorded:
    """Answered requests of runs under way. Safe across threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._parts: dict[str, list[tuple[CallTag, Part]]] = {}

    def add(self, tag: CallTag, answer: Mapping[str, Any]) -> None:
        """Keep an answer, if its run is watched (see `watch`)."""
        with self._lock:
            kept = self._parts.get(tag.problem)
        if kept is not None:
            kept.append((tag, Part.of(answer)))

    def watch(self, name: str) -> None:
        """Keep the answers of calls whose tag names this problem."""
        with self._lock:
            self._parts[name] = []

    def taken(self, name: str) -> list[tuple[CallTag, Part]]:
        """What was kept under a name, in the order of the answers; from now on nothing is."""
        with self._lock:
            return self._parts.pop(name, [])


class RecordingTransport(Transport):
    """A way to the server that asks for token ids and keeps them.

    Args:
        settings: As `Transport`.
        recorded: Where they are kept.
    """

    def __init__(self, settings: EndpointSettings, recorded: Recorded) -> None:
        super().__init__(settings)
        self._recorded = recorded

    async def send(self, url: str, body: Mapping[str, Any]) -> dict[str, Any] | Failure:
        """The server's chat completion, or what went wrong.

        Raises:
            EndpointError: an answer without its token ids.
        """
        answer = await super().send(url, {**WHOLE, **body, **ASKED})
        if not isinstance(answer, Failure):
            self._recorded.add(current_tag(), answer)
        return answer


class SharedDrafts:
    """A store that keeps nothing but the drafts of groups that share them (mode `distill`): a `Store`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], StoredCompletion] = {}
        self._names: set[str] = set()

    def share(self, name: str) -> None:
        """From now on the drafts of runs under this name are drawn once."""
        self._names.add(name)

    def forget(self, name: str) -> None:
        """Drop a group's drafts."""
        self._names.discard(name)
        for key in [key for key in self._kept if key[0] == name]:
            del self._kept[key]

    def get(self, key: str) -> StoredCompletion | None:
        """The draft of this place, where it is a shared one."""
        tag = current_tag()
        return self._kept.get((tag.problem, tag.index)) if tag.stage == "draft" else None

    def put(self, key: str, completion: StoredCompletion) -> None:
        """Keep a shared draft."""
        tag = current_tag()
        if tag.stage == "draft" and tag.problem in self._names:
            self._kept.setdefault((tag.problem, tag.index), completion)

    def reject(self, key: str, why: str) -> None:
        """Drop a shared draft."""
        tag = current_tag()
        self._kept.pop((tag.problem, tag.index), None)


def open_policy(settings: EndpointSettings, recorded: Recorded, store: Store | None = None) -> Endpoint:
    """An endpoint whose calls are kept in `recorded`.

    Raises:
        EndpointError: as `Endpoint.open`.
    """
    disable_cache()
    return Endpoint.open(settings, store, transport=partial(RecordingTransport, recorded=recorded))
