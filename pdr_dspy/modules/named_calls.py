"""Names for the calls of a run, where somebody looks on: a span of a trace is `draft 3 of 8`, not one more `Predict`.

DSPy's callbacks (MLflow's tracing among them) know a call by the class of the module that is called. So while there are
callbacks, each call goes through a module whose class has the call's name; the predictor within stays what it is, for
optimisers know it by identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import dspy

from pdr_dspy.modules.plain_lm import predicted
from pdr_dspy.workflow import PlannedStep, Workflow


def call_name(workflow: Workflow, step: PlannedStep, index: int) -> str:
    """What a call is called: `draft 3 of 8`, `distill round 1`, `refine`, `refine round 3, 2 of 4`.

    Args:
        workflow: The run's workflow.
        step: The call's step.
        index: The call's number in the step, from 0.
    """
    last = len(workflow.rounds) - 1
    between = step.stage in ("distill", "analyse", "pick") and step.round < last
    of_several = step.stage == "refine" and last > 1
    words: str = step.stage
    if between or of_several:
        words += f" round {step.round + 1}"
    if step.width > 1:
        words += f"{',' * (between or of_several)} {index + 1} of {step.width}"
    return words


async def called(
    predictor: Any, lm: Any, name: str, settings: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dspy.Prediction:
    """Call a predictor, under a name where there are callbacks.

    Args:
        predictor: The stage's predictor.
        lm: The LM that it asks.
        name: The call's.
        settings: What the call says beside its inputs: signature, config, lm, demos.
        inputs: The call's input fields.
    """
    if not name or not dspy.settings.callbacks:
        return await predicted(predictor, lm, **inputs, **settings)
    return await _named(name)(predictor, lm, settings).acall(**inputs)


class StageCall(dspy.Module):
    """One call of a predictor, as a module; its class has the call's name."""

    def __init__(self, predictor: Any, lm: Any, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self._predictor, self._lm, self._settings = predictor, lm, settings

    async def aforward(self, **inputs: Any) -> dspy.Prediction:
        """Make the call."""
        return await predicted(self._predictor, self._lm, **inputs, **self._settings)


@lru_cache(maxsize=4096)
def _named(name: str) -> type[StageCall]:
    return type(name, (StageCall,), {"__module__": __name__})
