"""What is trained, as a YAML file says it. Frozen and strict; knows nothing of torch, TRL and endpoints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from experiments.configuration import ConfigError, as_tuple, find, parse
from experiments.training.operator_sft.config import TeacherSFT
from experiments.training.rollouts.reward import RewardKind
from experiments.training.rollouts.shapes import Mode, Shape
from pdr_dspy.workflow.values import Frozen, rule

CONFIGS = Path(__file__).resolve().parent / "configs"
"""Where the configurations that have a name are."""

Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1)]


class Data(Frozen):
    """Problems to train on.

    `specs`: specs of `pdr_dspy.data.load_data`; several are taken in turns. All else are arguments of it, for each.
    """

    specs: Annotated[tuple[Name, ...], Field(min_length=1), BeforeValidator(as_tuple)]
    inputs: str | None = None
    answer: str | None = None
    options: str | None = None
    grader: str | None = None
    tolerance: str | None = None
    signature: str | None = None
    instruction: str | None = None
    skip_empty: bool = False
    limit: Count | None = None


class Sampler(Frozen):
    """Who draws the rollouts.

    `torch`: this process, for the embedded reasoner. `vllm_colocate`: vLLM on the training GPUs. `vllm_server`: a
    vLLM of its own at `url`, started as TRL wants it (docs/training.md).
    """

    kind: Literal["torch", "vllm_colocate", "vllm_server"]
    load: int = Field(default=128, ge=1, description="requests in flight a training process")
    timeout: float = Field(default=1800.0, gt=0, description="seconds one request may take")
    url: str = "http://localhost:8000"
    context: Count | None = Field(default=None, description="vLLM's max_model_len")
    memory: float = Field(default=0.35, gt=0, lt=1, description="share of a GPU that a colocated vLLM takes")


class Speed(Frozen):
    """Measured tokens a second of the whole machine, for `--dry-run` alone."""

    drawn: float = Field(gt=0, description="generated tokens a second, all rollouts together")
    read: float = Field(gt=0, description="prompt tokens a second")
    trained: float = Field(gt=0, description="tokens a second, forward and backward")


class Usual(Frozen):
    """Mean tokens of one call, for `--dry-run` alone. The prompts are those of the problem's own text and format."""

    prompt: Count
    trace: Count
    draft: Count
    distill: Count
    refine: Count


class RL(Frozen):
    """A stage of reinforcement learning.

    The paper: 32 problems of 32 rollouts a step, 4 updates of it, half trace and half operator, alpha 0.1.
    """

    steps: Count = Field(description="rollout steps")
    problems: Count = Field(description="problems a rollout step; each mode takes its share of them")
    shares: dict[Mode, float] = Field(description="share of each mode, in problems and in the objective")
    reward: RewardKind = "answer"
    updates: Count = Field(default=1, description="updates of the weights a rollout step")
    micro_batch: Count = Field(description="sequences in one forward pass of a process")
    rate: float = Field(gt=0, le=1, description="AdamW's learning rate")
    warm_up: int = Field(default=0, ge=0, description="updates until the rate is reached")
    clip: float = Field(default=5.0, gt=1, le=1e6, description="the largest importance ratio, 1 + epsilon_high")
    policy: float = Field(default=1.0, ge=0, le=1e6, description="weight of J_CISPO; 0: the SFT term of right rollouts")
    alpha: float = Field(default=0.1, ge=0, le=1e6, description="weight of the SFT term")
    max_norm: float = Field(default=1.0, gt=0, description="the gradient is clipped at this norm")
    weight_decay: float = Field(default=0.0, ge=0)
    ema: float | None = Field(default=None, gt=0, lt=1, description="decay of the averaged weights; null: none kept")
    signal: bool = Field(default=False, description="log the gradient's signal to noise (one process, small models)")
    save_every: Count = Field(default=10, description="rollout steps between checkpoints")
    keep: Count | None = Field(default=None, description="checkpoints that stay; null: all")

    @model_validator(mode="after")
    def _shares(self) -> RL:
        if not self.shares or not all(0 < share < math.inf for share in self.shares.values()):
            raise rule(("shares",), "a mode without a share", "Name at least one mode, each with a share above 0")
        if self.problems < len(self.shares):
            problem = f"{self.problems} can't be shared among {len(self.shares)} modes"
            raise rule(("problems",), problem, "Write at least one problem a mode")
        if not self.policy and not self.alpha:
            raise rule(("policy",), "nothing is trained: alpha is 0, too", "Write policy or alpha above 0")
        return self

    def passes(self, group: int, processes: int) -> int:
        """Forward passes of a process in a rollout step.

        Args:
            group: Rollouts a problem.
            processes: Processes that train.

        Raises:
            ConfigError: the sizes don't divide.
        """
        rows = self.problems * group
        passes, rest = divmod(rows, self.micro_batch * processes)
        if rest or passes % self.updates or (rows // processes) % group:
            raise ConfigError(
                "micro_batch",
                f"{self.problems} problems of {group} rollouts don't divide into {self.updates} updates of whole "
                f"micro-batches of {self.micro_batch} on {processes} processes, each with whole groups",
                "Choose problems, updates and micro_batch so that they do",
            )
        return passes


def _sort(value: Any) -> str:
    """Which kind of operator SFT is meant."""
    teacher = bool({"turns", "sheets"} & {*value}) if isinstance(value, dict) else isinstance(value, TeacherSFT)
    return "[teacher]" if teacher else "[rollouts]"


OperatorSFT = Annotated[
    Annotated[TeacherSFT, Tag("[teacher]")] | Annotated[RL, Tag("[rollouts]")], Discriminator(_sort)
]
"""SFT on the operator's own states: by a teacher (worksheets), or on its right rollouts (`policy: 0`; anything)."""


class Config(Frozen):
    """One model's training.

    `model`: a folder in Hugging Face's format, or a name on its Hub. `dtype`: what the weights are trained in.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-][A-Za-z0-9_.\-]*$")]
    about: str
    model: Name
    parameters: Count = Field(description="the model's, for --dry-run alone")
    dtype: Literal["float32", "bfloat16"]
    checkpointing: bool = Field(default=False, description="recompute activations: less memory, a third more time")
    seed: int = Field(default=0, ge=0, lt=2**31)
    data: Data
    shape: Shape
    sampler: Sampler
    speed: Speed
    usual: Usual
    operator_sft: OperatorSFT
    trace_rl: RL
    operator_rl: RL


def load_config(name: str) -> Config:
    """The configuration of a name (`embedded`) or a path (`my.yaml`).

    Raises:
        ConfigError: there is none, or it is wrong; names the file, the place and the mend.
    """
    text, source = find(name, CONFIGS)
    return parse(Config, text, source, "experiments/training/configs/embedded.yaml")
