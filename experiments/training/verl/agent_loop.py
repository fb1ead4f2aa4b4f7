"""verl's agent loop over the library: all sessions of a prompt share one run, and each returns one of its rollouts.

Not run on GPUs. Written against verl 0.9.1's V1 trainer, whose `AgentLoopWorkerTQ` makes all n sessions of a prompt in
one step of one event loop: so the sessions of a `uid` meet here, the first starts the run, its width is the number of
sessions that came, and session i takes the i-th rollout. The legacy trainer, which spreads a prompt's sessions over
processes, can't be used.

The returned row is the last call alone: `prompt_ids` are those of (x, C) in operator mode, forced tokens have mask 0,
and the reward (+1 or -1) is already there, so that no reward worker is asked. Loaded by
`actor_rollout_ref.model.external_lib`; the configuration's `pdr` section is a `Shape` without what verl says itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from omegaconf import OmegaConf
from transformers import GenerationConfig
from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput, register

from experiments.training.rollouts.shapes import Shape
from experiments.training.verl.engine import ServerManagerEngine
from experiments.training.verl.rollouts import MODES, Mode, Rollout, rollouts, task_of
from experiments.training.verl.serving import ServedModel, served_model, serving
from pdr_dspy.errors import InputError
from pdr_dspy.workflow import Sampling


class ModeOutput(AgentLoopOutput):
    """verl's output, whose reward stands where the mode says: at the last token (`trace`), at the first (`operator`).

    verl hands an advantage estimator no column of the data, only each token's reward, whose sum is the rollout's.
    """

    mode: Mode

    def as_dict(self) -> dict[str, Any]:
        """verl's fields of a row."""
        output: dict[str, Any] = super().as_dict()
        if output.pop("mode") == "operator":
            output["rm_scores"] = output["rm_scores"].flip(0)
        return output


@dataclass
class _Group:
    """The sessions of one prompt: how many have come, how many have not left, and their run."""

    task: asyncio.Task[list[Rollout]]
    begun: bool = False
    width: int = 0
    left: int = 0


@register("pdr_operator")
class OperatorLoop(AgentLoopBase):
    """Both modes' loop: the row's `mode` says which."""

    _groups: ClassVar[dict[str, _Group]] = {}
    _models: ClassVar[dict[str, ServedModel]] = {}

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> ModeOutput:
        """One session: join the prompt's run, take this session's rollout.

        Args:
            sampling_params: verl's, for all sessions of the prompt.
            row: The data's columns, verl's `uid` and `session_id`.

        Raises:
            InputError: sampling that the library's requests can't say, a row of another mode, another trainer.
        """
        if "session_id" not in row:
            raise InputError("trainer.use_v1", "a row without its session", "Use verl's V1 trainer")
        uid, session, mode = str(row["uid"]), int(row["session_id"]), row["mode"]
        if mode not in MODES:
            raise InputError("mode", f"{mode!r} is no mode", f"Write one of {', '.join(MODES)}")
        sampling = _sampling(sampling_params)
        group = self._groups.get(uid)
        if group is None:
            # It begins to run when every session of the prompt has: they were all scheduled before it.
            group = _Group(asyncio.get_running_loop().create_task(self._drawn(uid, mode, sampling, row)))
            self._groups[uid] = group
        if group.begun:
            raise InputError(
                "trainer.use_v1", f"session {session} came when the run was under way", "Use verl's V1 trainer"
            )
        group.width += 1
        group.left += 1
        try:
            # Shielded: one session that is given up must not take the run from its siblings.
            rollout = (await asyncio.shield(group.task))[session]
        finally:
            group.left -= 1
            if not group.left and self._groups.get(uid) is group:
                del self._groups[uid]
                group.task.cancel()  # nobody waits any more; a run that has ended is not touched
        return _output(rollout, mode)

    async def _drawn(self, uid: str, mode: Mode, sampling: Sampling, row: dict[str, Any]) -> list[Rollout]:
        group = self._groups[uid]
        group.begun = True
        engine = ServerManagerEngine(self.server_manager)
        options = OmegaConf.to_container(self.config.pdr)
        # Not validated again: a group of one (`val_kwargs.n`) is none to train on, but can be drawn.
        shape = Shape(**options).model_copy(update={"group": group.width, "sampling": sampling})
        async with serving(engine, self._model()) as url:
            # A prompt that comes again in a later epoch is drawn anew: the seed is the uid's.
            return await rollouts(task_of(row), mode, shape, url, engine.completions, seed=_number(uid))

    def _model(self) -> ServedModel:
        path = str(self.config.actor_rollout_ref.model.path)
        if path not in self._models:
            ends = GenerationConfig.from_pretrained(path).eos_token_id
            self._models[path] = served_model(
                self.tokenizer,
                path,
                context=int(self.rollout_config.prompt_length) + int(self.rollout_config.response_length),
                end_ids=frozenset(ends if isinstance(ends, list) else [ends]),
            )
        return self._models[path]


def _sampling(params: dict[str, Any]) -> Sampling:
    for name, off in (("top_k", (-1, 0, None)), ("repetition_penalty", (1.0, None))):
        if params.get(name) not in off:
            raise InputError(f"rollout.{name}", f"{params[name]} is set", "Leave it out: rollouts are drawn without it")
    return Sampling(temperature=float(params["temperature"]), top_p=float(params["top_p"]))


def _output(rollout: Rollout, mode: Mode) -> ModeOutput:
    done = rollout.completion
    return ModeOutput(
        prompt_ids=list(done.prompt),
        response_ids=list(done.tokens),
        response_mask=list(done.drawn),
        response_logprobs=list(done.log_probs),
        reward_score=rollout.reward,
        num_turns=2,
        metrics=AgentLoopMetrics(generate_sequences=done.seconds),
        extra_fields={**done.weights, "reward_extra_info": {"acc": float(rollout.reward > 0)}},
        mode=mode,
    )


def _number(uid: str) -> int:
    try:
        return UUID(uid).int
    except ValueError:
        raise InputError("uid", f"{uid!r} is not the UUID that verl gives a prompt", "Use verl's V1 trainer") from None
