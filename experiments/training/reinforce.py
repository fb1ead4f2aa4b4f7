"""A stage of reinforcement learning: configuration to TRL, and back to a folder with a model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset as Rows
from transformers import ProgressCallback
from transformers.trainer_callback import PrinterCallback
from trl import GRPOConfig

from experiments.configuration import ConfigError
from experiments.training.callbacks import AVERAGED, Averaging, Console, Curved, TimeLimit
from experiments.training.checkpoints import save_model
from experiments.training.config import RL, Config
from experiments.training.curves import Curves
from experiments.training.folder import Folder
from experiments.training.models import load
from experiments.training.problems import problems_of
from experiments.training.rollout_function import RolloutFunction
from experiments.training.schedule import schedule
from experiments.training.trainer import OperatorTrainer, reward
from pdr_dspy.data import Dataset

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # rollout_func is experimental, and its range pinned


@dataclass(frozen=True)
class Begun:
    """A stage that is to be run.

    Attributes:
        config: The configuration.
        stage: The stage's part of it.
        name: The stage's name.
        model: Where it starts from: a folder, or a name on the Hub.
        folder: Where it is kept.
        minutes: After which it stops with a checkpoint; None: at its end.
        root: Where `mlflow.db` is.
    """

    config: Config
    stage: RL
    name: str
    model: str
    folder: Folder
    minutes: float | None
    root: Path

    def what(self, dataset: Dataset) -> dict[str, Any]:
        """Everything that decides what is trained; how many steps of it is not a part of that."""
        ours = {"name", "dtype", "seed", "shape"}
        beside = {"steps", "micro_batch", "signal", "save_every", "keep"}
        whole = self.config.model_dump(mode="json", include=ours)
        stage = self.stage.model_dump(mode="json", exclude=beside)
        asked = self.config.data.model_dump(include={"signature", "instruction"}, exclude_none=True)
        return {**whole, **stage, **asked, "stage": self.name, "model": self.model, "data": dataset.fingerprint}


def reinforce(begun: Begun) -> bool:
    """Run a stage, or go on with it. True: it has ended, and `folder.final` holds the model.

    Raises:
        ConfigError: it can't be run as configured, or the folder holds another training.
        EndpointError: the policy can't be sampled.
    """
    config, stage, folder = begun.config, begun.stage, begun.folder
    first = int(os.environ.get("RANK", "0")) == 0
    with folder.held() if first else nullcontext():
        settings = arguments(begun, int(os.environ.get("WORLD_SIZE", "1")))
        dataset = problems_of(config.data)
        if folder.ended(begun.what(dataset), stage.steps):
            return True
        draw = RolloutFunction(config, dataset, stage.reward)
        torch.manual_seed(config.seed)
        model, tokenizer = load(config, begun.model)
        notes = folder.begin(begun.what(dataset)) if first else {}
        groups = schedule([p.id for p in dataset.problems], stage.steps, stage.problems, stage.shares, config.seed)
        trainer = OperatorTrainer(
            model=model,
            reward_funcs=[reward],
            args=settings,
            train_dataset=Rows.from_list([{"prompt": each.text()} for each in groups]),
            processing_class=tokenizer,
            rollout_func=draw,
            policy=stage.policy,
            alpha=stage.alpha,
            shares={mode: share for mode, share in stage.shares.items()},
            signal=stage.signal,
        )
        return _train(begun, trainer, draw, dataset, notes)


def _train(
    begun: Begun, trainer: OperatorTrainer, draw: RolloutFunction, dataset: Dataset, notes: Mapping[str, Any]
) -> bool:
    stage, folder = begun.stage, begun.folder
    first = trainer.accelerator.is_main_process
    if stage.ema and _sharded(trainer):
        raise ConfigError(f"{begun.name}.ema", "the weights are in parts, so no average is kept", "Write ema: null")
    needs = (AVERAGED,) if stage.ema else ()
    if first:
        folder.last_checkpoint(needs)  # removes what a kill left, before the others look
    trainer.accelerator.wait_for_everyone()
    resumed = folder.last_checkpoint(needs)
    done = 0 if resumed is None else int(resumed.name.rpartition("-")[2])
    if done > trainer.args.max_steps:
        problem = f"{folder.path} has come to {done // stage.updates} rollout steps already"
        raise ConfigError("--steps", problem, "Ask for more, or name another folder")
    curves: Curves | None = None
    limit = None if begun.minutes is None else TimeLimit(begun.minutes, stage.updates)
    status = "FAILED"
    try:
        averaging = Averaging(trainer.model, stage.ema, resumed) if stage.ema else None
        if first:
            name = f"{begun.config.name} {begun.name}"
            curves = Curves(begun.root, name, begun.what(dataset), notes.get("mlflow_run"))
            folder.note(mlflow_run=curves.run)
        trainer.remove_callback(ProgressCallback)
        trainer.remove_callback(PrinterCallback)
        for callback in (Console(), Curved(curves) if curves else None, limit, averaging):
            if callback is not None:
                trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
        if limit is not None and limit.reached:
            status = "KILLED"
            return False
        _keep(begun, trainer, averaging)
        status = "FINISHED"
        return True
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        draw.close()
        if curves is not None:
            curves.ended(status)


def arguments(begun: Begun, processes: int) -> GRPOConfig:
    """TRL's settings of a stage.

    Args:
        begun: The stage.
        processes: Processes that train.

    Raises:
        ConfigError: the sizes do not divide.
    """
    config, stage = begun.config, begun.stage
    sampler, size = config.sampler, config.shape.group
    passes = stage.passes(size, processes)
    cuda = torch.cuda.is_available()
    return GRPOConfig(
        output_dir=str(begun.folder.path),
        run_name=f"{config.name} {begun.name}",
        seed=config.seed,
        max_steps=stage.steps * stage.updates,
        per_device_train_batch_size=stage.micro_batch,
        steps_per_generation=passes,
        gradient_accumulation_steps=passes // stage.updates,
        num_generations=size,
        num_iterations=1,
        shuffle_dataset=False,  # the schedule is the order
        loss_type="cispo",
        epsilon_high=stage.clip,  # TRL clamps the ratio at this number itself
        beta=0.0,
        scale_rewards="group",
        mask_truncated_completions=False,
        temperature=config.shape.temperature,
        max_completion_length=max(config.shape.trace.total, config.shape.refine.total),
        learning_rate=stage.rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=stage.warm_up,
        weight_decay=stage.weight_decay,
        max_grad_norm=stage.max_norm,
        optim="adamw_torch",
        use_cpu=not cuda,
        bf16=cuda and config.dtype == "bfloat16",
        gradient_checkpointing=config.checkpointing,
        use_vllm=sampler.kind != "torch",
        vllm_mode="server" if sampler.kind == "vllm_server" else "colocate",
        vllm_server_base_url=sampler.url if sampler.kind == "vllm_server" else None,
        vllm_gpu_memory_utilization=sampler.memory,
        vllm_max_model_length=sampler.context,
        # TRL's own correction would weigh each row by its whole sequence's ratio of trainer to sampler.
        vllm_importance_sampling_correction=False,
        vllm_tensor_parallel_size=1,  # each process steps its own engine, with requests of its own
        logging_steps=1,
        save_strategy="steps",
        save_steps=stage.save_every * stage.updates,
        save_total_limit=stage.keep,
        ddp_timeout=7200,  # seconds: rollouts of one process may take longer than another's
        ddp_find_unused_parameters=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
    )


def _sharded(trainer: OperatorTrainer) -> bool:
    return str(trainer.accelerator.distributed_type.value) in ("FSDP", "DEEPSPEED", "MEGATRON_LM")


def _keep(begun: Begun, trainer: OperatorTrainer, averaging: Averaging | None) -> None:
    """Write the trained model (its averaged weights, where they are kept) to `folder.final`."""
    folder, first = begun.folder, trainer.accelerator.is_main_process
    if _sharded(trainer):
        trainer.save_model(str(folder.final))  # every process has a part of it
    elif first:
        origin = Path(begun.model) if Path(begun.model).is_dir() else None
        model = trainer.accelerator.unwrap_model(trainer.model)
        if averaging is not None:
            kept = averaging.averaged.module
            model.load_state_dict(trainer.accelerator.unwrap_model(kept).state_dict())
        save_model(model, trainer.processing_class, origin, folder.final)
    trainer.accelerator.wait_for_everyone()
    if first:
        folder.note(ended=begun.stage.steps)
