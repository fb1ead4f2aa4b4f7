"""Trains a model with the operator it will be used with.

    python -m experiments.training --config embedded --stage operator_sft
    python -m experiments.training --config embedded --stage operator_rl --minutes 120     # goes on where it stopped
    python -m experiments.training --config qwen3-8b --stage operator_rl --dry-run
    accelerate launch --config_file experiments/training/accelerate/fsdp2.yaml \\
        -m experiments.training --config qwen3-8b --stage operator_rl

The same command goes on after Ctrl-C or a kill. Curves are in MLflow (`mlflow ui`), experiment pdr-dspy-training.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from pathlib import Path

from experiments.arguments import count, minutes, whole
from experiments.configuration import known_in
from experiments.reasoner.allocation import keep_freed_pages
from experiments.training.config import CONFIGS, RL, Config, load_config
from experiments.training.costs import costs, teacher_costs
from experiments.training.folder import Folder
from experiments.training.operator_sft.config import TeacherSFT
from pdr_dspy.errors import EndpointError, InputError

STAGES = ("operator_sft", "trace_rl", "operator_rl", "signal")
_EXTRA = "Install what training needs: pip install -e '.[train]' (make train does it in an environment of its own)"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="python -m experiments.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--config", required=True, help=f"{', '.join(known_in(CONFIGS))}, or a path.yaml")
    found.add_argument(
        "--stage",
        required=True,
        choices=STAGES,
        help="operator_sft: teach it on its own drafts and workspaces; trace_rl: reinforce long CoT; operator_rl: "
        "reinforce long CoT and the refinement of distilled drafts; "
        "signal: measure how much of a group's gradient is signal, to size the batch by it",
    )
    found.add_argument("--model", help="start from this folder instead of the configuration's model")
    found.add_argument("--output", type=Path, help="the stage's folder (default: runs/training/CONFIG/STAGE)")
    found.add_argument(
        "--minutes",
        type=minutes,
        help="stop after so long, where a checkpoint is due; the same command goes on",
    )
    found.add_argument("--steps", type=count, help="rollout steps instead of the configuration's; more go on later")
    found.add_argument("--seed", type=whole, help="of everything drawn, instead of the configuration's")
    found.add_argument(
        "--processes",
        type=count,
        default=1,
        help="of one thread each, that share operator_sft of worksheets (default: 1); RL: accelerate launch",
    )
    found.add_argument("--groups", type=count, default=24, help="groups of each mode that --stage signal measures")
    found.add_argument("--dry-run", action="store_true", help="say tokens, memory and hours, and end")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except (InputError, EndpointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    if options.seed is not None:
        config = config.model_copy(update={"seed": options.seed})
    stage: RL | TeacherSFT | None = None if options.stage == "signal" else getattr(config, options.stage)
    if options.steps is not None:
        if not isinstance(stage, RL):
            raise InputError("--steps", f"{options.stage} has no rollout steps here", "Leave it out")
        stage = stage.model_copy(update={"steps": options.steps})
    if options.processes > 1 and not isinstance(stage, TeacherSFT):
        mend = "Start it with `accelerate launch` (docs/training.md), or leave it out"
        raise InputError("--processes", f"{options.stage} is not shared that way here", mend)
    if options.dry_run:
        print(told(config, options.stage, stage))
        return 0
    output = Folder(options.output or Path("runs") / "training" / config.name / options.stage)
    try:
        import torch  # noqa: F401

        if not isinstance(stage, TeacherSFT):
            import trl  # noqa: F401
    except ImportError as missing:
        raise InputError("environment", f"there is no {missing.name} here", _EXTRA) from None
    _quieten()
    keep_freed_pages()
    model = options.model or config.model
    if stage is None:
        from experiments.training.measure_signal import measure

        print(measure(config, model, options.groups))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a batch system's end is an orderly one
    if isinstance(stage, TeacherSFT):
        from experiments.training.operator_sft import begun as operator_sft
        from experiments.training.operator_sft.train import teach

        name = f"{config.name} {options.stage}"
        begun = operator_sft.Begun(stage, name, config.seed, Path(model), output, options.minutes, Path.cwd())
        ended = teach(begun, options.processes)
    else:
        from experiments.training.reinforce import Begun, reinforce

        ended = reinforce(Begun(config, stage, options.stage, model, output, options.minutes, Path.cwd()))
    first = int(os.environ.get("RANK", "0")) == 0
    if first and ended:
        print(f"trained: {output.final}\nBefore and after: docs/training.md says how to measure it")
    elif first:
        print(f"{options.minutes:g} minutes are over; the same command goes on")
    return 0


def _quieten() -> None:
    """Keep the engines' progress bars for single files and their notes to developers off the console."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")


def told(config: Config, name: str, stage: RL | TeacherSFT | None) -> str:
    """What a stage costs, in words."""
    if stage is None:
        raise InputError("--dry-run", f"{name} has no estimate", "It is for stages that train")
    speed = config.speed
    speeds = f"{speed.drawn:,.0f} generated and {speed.trained:,.0f} trained tokens a second (`speed`"
    if isinstance(stage, TeacherSFT):
        taught = teacher_costs(config, stage)
        sampled = (
            f"{taught.groups:,} of the training lines, each with {stage.sheets.drafts} drafts, {stage.sheets.spaces} "
            "workspaces and as many refinements"
        )
        rows = [
            f"{config.about}: {name}, {stage.turns} turns",
            f"worksheets {sampled if stage.operator else 'none: the mixture of the first training alone'}",
        ]
    else:
        stage.passes(config.shape.group, processes=1)
        taught = costs(config, stage, config.parameters)
        rows = [
            f"{config.about}: {name}, {stage.steps} rollout steps, {taught.updates} updates",
            f"rollouts   {taught.rollouts:,} in {taught.groups:,} groups ({', '.join(stage.shares)})",
        ]
    return "\n".join(
        [
            *rows,
            f"tokens     {_tokens(taught.drawn)} generated, {_tokens(taught.read)} read, "
            f"{_tokens(taught.trained)} trained on",
            f"memory     {taught.model_bytes / 2**30:,.2f} GiB of weights, gradients and AdamW's state over all "
            "processes; activations and the sampler's KV cache come on top",
            f"time       {taught.hours:,.1f} hours at {speeds}; calls of the lengths of `usual`)",
        ]
    )


def _tokens(count: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


if __name__ == "__main__":
    sys.exit(main())
