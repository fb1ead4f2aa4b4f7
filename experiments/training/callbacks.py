"""What goes on beside the updates: a time limit, averaged weights, a line a step, curves in MLflow."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pdr_dspy.tracking.opening import open_experiment
from pdr_dspy.tracking.text import without_secrets

AVERAGED = "averaged.pt"
_log = logging.getLogger(__name__)
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


class Curves(TrainerCallback):
    """Logs every number of every update to MLflow, one run a stage, whichever process goes on with it.

    Args:
        root: Where `mlflow.db` is, unless `MLFLOW_TRACKING_URI` says otherwise.
        name: The run's name.
        parameters: What is trained.
        run: Id of the MLflow run to go on with; None begins one.

    Attributes:
        run: Id of the MLflow run.

    Raises:
        TrackingError: the experiment can't be opened.
    """

    def __init__(self, root: Path, name: str, parameters: Mapping[str, Any], run: str | None = None) -> None:
        self._client, experiment, self.uri = open_experiment(root, "pdr-dspy-training")
        if run is None:
            run = self._client.create_run(experiment, run_name=name).info.run_id
            for key, value in parameters.items():
                self._client.log_param(run, key, str(value)[:500])
        self.run: str = run
        self._client.update_run(self.run, status="RUNNING")

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """After each update."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers = {k: float(v) for k, v in (logs or {}).items() if isinstance(v, int | float)}
        found = [Metric(key, value, now, state.global_step) for key, value in numbers.items()]
        self._told(lambda: self._client.log_batch(self.run, metrics=found))

    def ended(self, status: str) -> None:
        """Close the run: FINISHED, KILLED (it can go on) or FAILED."""
        self._told(lambda: self._client.set_terminated(self.run, status))

    def _told(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # whatever a tracking server does, hours of training do not end by it
            _log.warning("MLflow: %s", without_secrets(" ".join(str(error).split())[:300]))
