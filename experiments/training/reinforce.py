"""A stage of reinforcement learning: configuration to TRL, and back to a folder with a model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset as Rows
from transformers import AutoModelForCausalLM, AutoTokenizer, ProgressCallback
from transformers.trainer_callback import PrinterCallback
from trl import GRPOConfig

from experiments.configuration import ConfigError
from experiments.training.callbacks import Averaging, Console, Curves, TimeLimit
from experiments.training.checkpoints import save_model, write_network
from experiments.training.config import RL, Config
from experiments.training.folder import Folder
from experiments.training.problems import problems_of
from experiments.training.rollout_function import RolloutFunction
from experiments.training.schedule import schedule
from experiments.training.trainer import OperatorTrainer, reward
from pdr_dspy.embedded.model import NETWORK

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

    @property
    def what(self) -> dict[str, Any]:
        """Everything that decides what is trained."""
        others = {"trace_rl", "operator_rl", "speed", "usual"}
        whole = self.config.model_dump(mode="json", exclude=others)
        kept = self.stage.model_dump(mode="json", exclude={"keep"})
        return {**whole, "stage": self.name, "model": self.model, **kept}


def reinforce(begun: Begun) -> bool:
    """Run a stage, or go on with it. True: it has ended, and `folder.final` holds the model.

    Raises:
        ConfigError: it can't be run as configured, or the folder holds another training.
        EndpointError: the policy can't be sampled.
    """
    config, stage, folder = begun.config, begun.stage, begun.folder
    notes = folder.begin(begun.what)
    if folder.final.is_dir():
        return True
    dataset = problems_of(config.data)
    torch.manual_seed(config.seed)
    dtype = getattr(torch, config.dtype)
    model = AutoModelForCausalLM.from_pretrained(begun.model, dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(begun.model)
    groups = schedule([p.id for p in dataset.problems], stage.steps, stage.problems, stage.shares, config.seed)
    draw = RolloutFunction(config, dataset, stage.reward)
    trainer = OperatorTrainer(
        model=model,
        reward_funcs=[reward],
        args=arguments(begun),
        train_dataset=Rows.from_list([{"prompt": each.text()} for each in groups]),
        processing_class=tokenizer,
        rollout_func=draw,
        alpha=stage.alpha,
        shares={mode: share for mode, share in stage.shares.items()},
        signal=stage.signal,
    )
    resumed = folder.last_checkpoint()
    first = trainer.accelerator.is_main_process
    curves = Curves(begun.root, f"{config.name} {begun.name}", begun.what, notes.get("mlflow_run")) if first else None
    limit = TimeLimit(begun.minutes) if begun.minutes else None
    averaging = Averaging(trainer.model, stage.ema, resumed) if stage.ema else None
    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)
    for callback in (Console(), curves, limit, averaging):
        if callback is not None:
            trainer.add_callback(callback)
    if curves is not None:
        folder.note(mlflow_run=curves.run)
    status = "FAILED"
    try:
        trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
        ended = limit is None or not limit.reached
        status = "FINISHED" if ended else "KILLED"
        if ended:
            _keep(begun, trainer, averaging)
        return ended
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        draw.close()
        if curves is not None:
            curves.ended(status)


def arguments(begun: Begun) -> GRPOConfig:
    """TRL's settings of a stage.

    Raises:
        ConfigError: the sizes do not divide.
    """
    config, stage = begun.config, begun.stage
    sampler, size = config.sampler, config.shape.group
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rows = stage.problems * size
    passes, rest = divmod(rows, stage.micro_batch * world)
    if rest or passes % stage.updates or (rows // world) % size:
        raise ConfigError(
            f"{begun.name}.micro_batch",
            f"{stage.problems} problems of {size} rollouts don't divide into {stage.updates} updates of whole "
            f"micro-batches of {stage.micro_batch} on {world} processes, each with whole groups",
            "Choose problems, updates and micro_batch so that they do",
        )
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
        temperature=config.shape.sampling.temperature if config.shape.sampling.temperature is not None else 1.0,
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
        vllm_tensor_parallel_size=1,  # each process steps its own engine, with requests of its own
        logging_steps=1,
        save_strategy="steps",
        save_steps=stage.save_every * stage.updates,
        save_total_limit=stage.keep,
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
    )


def _keep(begun: Begun, trainer: OperatorTrainer, averaging: Averaging | None) -> None:
    """Write the trained model (its averaged weights, where they are kept) to `folder.final`."""
    final = begun.folder.final
    origin = Path(begun.model) if Path(begun.model).is_dir() else None
    if trainer.accelerator.num_processes > 1:
        trainer.save_model(str(final))  # every process has a part of it
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    if averaging is not None:
        model.load_state_dict(averaging.averaged.module.state_dict())
    save_model(model, trainer.processing_class, origin, final)
    if origin is not None and all((origin / name).is_file() for name in NETWORK):
        write_network(origin, final)
