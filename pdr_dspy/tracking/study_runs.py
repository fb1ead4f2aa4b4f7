"""The runs of studies: made or found, of several processes the first one's, made anew where somebody deletes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pdr_dspy.tracking.opening import named
from pdr_dspy.tracking.writing import Runs

Register = Callable[[str | None], Sequence[str]]
"""Lists runs that were said to be a study's, the first ones first, after it has added this one (None: none)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyRun:
    """A study that was started, as it was said then."""

    name: str
    tags: Mapping[str, Any]
    params: Mapping[str, Any]
    register: Register | None


class StudyRuns:
    """Runs of studies. Raises what MLflow raises.

    Args:
        client: The MLflow client.
        runs: Writes to runs.
        going_on: A study of this experiment was begun before: its run may be under another register.
    """

    def __init__(self, client: Any, runs: Runs, going_on: bool) -> None:
        self._client = client
        self._runs = runs
        self._going_on = going_on
        self._begun: dict[str, StudyRun] = {}
        self._instead: dict[str, str] = {}

    def began(self, run: str, begun: StudyRun) -> None:
        """Remember what a run is of."""
        self._begun[run] = begun

    def start(self, begun: StudyRun) -> str:
        """The run of a study: a new one, or the one it has."""
        register = begun.register
        found = None if register is None else self._first(register(None))
        # A register is of one place, which may have been moved since.
        look = register is None or (found is None and self._going_on)
        if look and (there := self._runs.find(study=begun.name, role="study")):
            found = str(there[0].info.run_id)
            if register is not None:
                found = self._first(register(found)) or found
        if found is None:
            made = self._runs.create(f"study {begun.name}", {"study": begun.name, "role": "study"})
            found = made if register is None else self._first(register(made)) or made
            if found == made:
                self._runs.write(made, params=begun.params, tags=begun.tags)
                return made
            self._client.delete_run(made)  # another process was faster
        self._client.update_run(found, status="RUNNING")
        return found

    def present(self, run: str) -> str:
        """The run to write to: this one, or of a study whose run was deleted meanwhile a new one."""
        now = self._instead.get(run, run)
        if run in self._begun and not self._runs.there(now):
            now = self._instead[run] = self.start(self._begun[run])
            _log.warning("MLflow: the run of the study %s was deleted; %s goes on", self._begun[run].name, now)
        return now

    def name_of(self, study: str) -> str:
        """A study's name, by its name or by its run."""
        return self._begun[study].name if study in self._begun else named(study)

    def run_of(self, study: str) -> str:
        """The run of the study of this name; "" where none was begun here."""
        run = next((run for run, begun in self._begun.items() if begun.name == study), "")
        return self._instead.get(run, run)

    def _first(self, runs: Sequence[str]) -> str | None:
        """The first of these runs that nobody has deleted."""
        return next(filter(self._runs.there, runs), None)
