"""A search that may spend: everything it needs is there and was checked. Values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass

from optimize.engine.tracking import Tracking
from optimize.inputs.problems import Problems
from optimize.request.search import SearchRequest
from optimize.space.space import Space
from optimize.study.state import StateDir
from optimize.study.study import Study
from pdr_dspy.endpoint import Endpoint, FileAllowance


@dataclass(frozen=True)
class Prepared:
    """A search that may spend.

    Attributes:
        request: What was asked for.
        problems: The data set, cut in two.
        state: The study's directory.
        endpoint: The model.
        space: What is chosen from.
        study: What is remembered.
        tracking: MLflow.
        allowance: What may be generated in all.
    """

    request: SearchRequest
    problems: Problems
    state: StateDir
    endpoint: Endpoint
    space: Space
    study: Study
    tracking: Tracking
    allowance: FileAllowance
