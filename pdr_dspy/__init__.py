"""Parallel-Distill-Refine (arXiv 2510.01123) and its relatives as DSPy modules, with exact accounting.

    from pdr_dspy import PDR, connect

    with connect("http://localhost:8000/v1") as lm, dspy.context(lm=lm):
        print(PDR("question -> answer")(question="...").answer)

What stands here is what composing programs needs. It is imported when it is first used (PEP 562), so that importing
this package costs nothing; the rooms behind it (`pdr_dspy.workflow`, `endpoint`, `evaluation`, `data`, ...) have more.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# LiteLLM fetches a price list over the network when it is imported, and waits seconds for it where there is none.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pdr_dspy.budget import Budget, parse_budget
    from pdr_dspy.connecting import connect
    from pdr_dspy.endpoint import EndpointLM
    from pdr_dspy.errors import (
        BudgetError,
        CallError,
        DataError,
        EndpointError,
        InputError,
        MissingExtra,
        PDRError,
        SignatureError,
        WorkflowError,
        WorkflowFailed,
    )
    from pdr_dspy.modules import PDR, Draft, LongCoT, MajorityVote, RunRecord, SequentialRefinement
    from pdr_dspy.workflow import (
        Round,
        Sampling,
        Workflow,
        build_workflow,
        dump_workflow,
        load_preset,
        load_workflow,
        parse_workflow,
        preset_names,
    )

_ROOMS = {
    "pdr_dspy.budget": ("Budget", "parse_budget"),
    "pdr_dspy.connecting": ("connect",),
    "pdr_dspy.endpoint": ("EndpointLM",),
    "pdr_dspy.errors": (
        "BudgetError",
        "CallError",
        "DataError",
        "EndpointError",
        "InputError",
        "MissingExtra",
        "PDRError",
        "SignatureError",
        "WorkflowError",
        "WorkflowFailed",
    ),
    "pdr_dspy.modules": ("PDR", "Draft", "LongCoT", "MajorityVote", "RunRecord", "SequentialRefinement"),
    "pdr_dspy.workflow": (
        "Round",
        "Sampling",
        "Workflow",
        "build_workflow",
        "dump_workflow",
        "load_preset",
        "load_workflow",
        "parse_workflow",
        "preset_names",
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "PDR",
    "Budget",
    "BudgetError",
    "CallError",
    "DataError",
    "Draft",
    "EndpointError",
    "EndpointLM",
    "InputError",
    "LongCoT",
    "MajorityVote",
    "MissingExtra",
    "PDRError",
    "Round",
    "RunRecord",
    "Sampling",
    "SequentialRefinement",
    "SignatureError",
    "Workflow",
    "WorkflowError",
    "WorkflowFailed",
    "build_workflow",
    "connect",
    "dump_workflow",
    "load_preset",
    "load_workflow",
    "parse_budget",
    "parse_workflow",
    "preset_names",
]


def __getattr__(name: str) -> Any:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(room), name)
    globals()[name] = value  # the next time nobody asks here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
