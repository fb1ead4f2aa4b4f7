"""The prediction of a `PDR`: the user's fields, and the run's record beside them rather than among them.

DSPy does things with all fields of a prediction: it writes them as JSON, counts votes over the last one, shows them to
a model as a tool's answer. A record is nothing for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dspy

from pdr_dspy.modules.records import RunRecord


class PDRPrediction(dspy.Prediction):
    """A `dspy.Prediction` whose run can be had by its name, as an attribute or an item, but is none of its fields.

    Made with `of`. Copies and pickles keep the run; what DSPy makes of its fields (`dspy.majority`) does not.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base = args[0] if args else kwargs.get("base")
        self._run: RunRecord | None = base._run if isinstance(base, PDRPrediction) else None
        self._run_name: str = base._run_name if isinstance(base, PDRPrediction) else ""

    @classmethod
    def of(cls, fields: Mapping[str, Any], run: RunRecord, name: str) -> PDRPrediction:
        """A prediction.

        Args:
            fields: Its fields. DSPy takes the last one for the answer.
            run: The record.
            name: What it is called: `run`, or `pdr_run` where a field has that name.
        """
        made = cls(dict(fields))
        made._run, made._run_name = run, name
        return made

    def __getattr__(self, key: str) -> Any:
        if key and key == self.__dict__.get("_run_name"):
            return self._run
        if key == "run" and key not in self._store and (name := self.__dict__.get("_run_name")):
            raise AttributeError(f"the run's record is prediction.{name}: the signature has a field named run")
        return super().__getattr__(key)

    def __getitem__(self, key: str) -> Any:
        if key and key == self._run_name and key not in self._store:
            return self._run
        if key == "run" and key not in self._store and self._run_name:
            raise KeyError(f"the run's record is prediction[{self._run_name!r}]: the signature has a field named run")
        return super().__getitem__(key)


def with_run(prediction: dspy.Prediction) -> dict[str, Any]:
    """A prediction's fields, and its run under its name where it has one."""
    fields = dict(prediction.items())
    if isinstance(prediction, PDRPrediction) and prediction._run is not None:
        return {**fields, prediction._run_name: prediction._run}
    return fields
