"""The declaration of workflows: schema, YAML, the plan of a budget. No calls, no DSPy.

The first module of the way a task takes through the library; everything else reads these values.
"""

from __future__ import annotations

from pdr_dspy.workflow.closing import Pick
from pdr_dspy.workflow.describe import sampled, topology
from pdr_dspy.workflow.plan import plan
from pdr_dspy.workflow.planned import Caps, Plan, PlannedStep, Stage
from pdr_dspy.workflow.presets import DEFAULT_PRESET, load_preset, load_workflow, preset_names
from pdr_dspy.workflow.prompting import FORMATS, Format, Instruction, Prompts
from pdr_dspy.workflow.schema import (
    Analysis,
    Answers,
    Distill,
    Previous,
    Random,
    Round,
    Sampling,
    Summary,
    Top,
    Workflow,
)
from pdr_dspy.workflow.yaml_io import build_workflow, dump_workflow, parse_workflow, plain_workflow

__all__ = [
    "DEFAULT_PRESET",
    "FORMATS",
    "Analysis",
    "Answers",
    "Caps",
    "Distill",
    "Format",
    "Instruction",
    "Pick",
    "Plan",
    "PlannedStep",
    "Previous",
    "Prompts",
    "Random",
    "Round",
    "Sampling",
    "Stage",
    "Summary",
    "Top",
    "Workflow",
    "build_workflow",
    "dump_workflow",
    "load_preset",
    "load_workflow",
    "parse_workflow",
    "plain_workflow",
    "plan",
    "preset_names",
    "sampled",
    "topology",
]
