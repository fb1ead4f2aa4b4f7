"""What goes on beside the updates: a time limit, averaged weights, a line a step, curves."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from experiments.training.curves import Curves

AVERAGED = "averaged.pt"
_SHOWN = ("reward/", "live_groups/", "length/")


class TimeLimit(TrainerCallback):
    """Ends a run after some minutes, with a checkpoint: the same command goes on.

    A rollout step is trained to its end: gone on with in the middle of one, it would be drawn anew.

    Args:
        minutes: Of this run.
        updates: Updates of a rollout step.
    """

    def __init__(self, minutes: float, updates: int) -> None:
        self._until = time.monotonic() + 60 * minutes
        self._updates = updates
        self.reached = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """After each update."""
        if state.global_step % self._updates or state.global_step >= state.max_steps:
            return control
        over = [time.monotonic() >= self._until]
        broadcast_object_list(over)  # the first process's clock is everybody's
        if over[0]:
            self.reached = True
            control.should_save = control.should_training_stop = True
        return control


class Averaging(TrainerCallback):
    """Keeps an exponential average of the weights; it is in every checkpoint, too.

    Args:
        model: The model that is trained, whole in this process.
        decay: Of the average, an update.
        resumed: The checkpoint it goes on from.
    """

    def __init__(self, model: torch.nn.Module, decay: float, resumed: Path | None = None) -> None:
        self.averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        if resumed is not None:
            self.averaged.load_state_dict(torch.load(resumed / AVERAGED, weights_only=True))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """After each update."""
        self.averaged.update_parameters(given["model"])

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Beside a checkpoint."""
        if not args.should_save:
            return
        file = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / AVERAGED
        part = file.with_suffix(".part")
        torch.save(self.averaged.state_dict(), part)
        os.replace(part, file)


class Console(TrainerCallback):
    """A line an update."""

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """After each update."""
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        shown = [f"{name} {logs[name]:.3g}" for name in sorted(logs) if name.startswith(_SHOWN)]
        shown += [f"{name} {logs[name]:.3g}" for name in ("grad_norm", "entropy", "signal_to_noise") if name in logs]
        print(f"update {state.global_step}/{state.max_steps}  {'  '.join(shown)}", flush=True)


class Curved(TrainerCallback):
    """Logs every number of every update.

    Args:
        curves: Where to.
    """

    def __init__(self, curves: Curves) -> None:
        self._curves = curves

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """After each update."""
        numbers = {k: float(v) for k, v in (logs or {}).items() if isinstance(v, int | float)}
        self._curves.log(numbers, state.global_step)
