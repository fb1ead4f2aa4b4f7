"""Trains a model with the operator it will be used with.

    python -m experiments.training --config embedded --stage operator_rl
    python -m experiments.training --config embedded --stage operator_rl --minutes 120     # goes on where it stopped
    python -m experiments.training --config qwen3-8b --stage operator_rl --dry-run
    accelerate launch --config_file experiments/training/accelerate/fsdp2.yaml \\
        -m experiments.training --config qwen3-8b --stage operator_rl

The same command goes on after Ctrl-C or a kill. Curves are in MLflow (`mlflow ui`), experiment pdr-dspy-training.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import warnings
from pathlib import Path

from experiments.configuration import known_in
from experiments.training.config import CONFIGS, RL, Config, load_config
from experiments.training.costs import costs
from experiments.training.folder import Folder
from pdr_dspy.errors import EndpointError, InputError

STAGES = ("trace_rl", "operator_rl", "signal")
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
        help="trace_rl: reinforce long CoT; operator_rl: reinforce long CoT and the refinement of distilled drafts; "
        "signal: measure how much of a group's gradient is signal, to size the batch by it",
    )
    found.add_argument("--model", help="start from this folder instead of the configuration's model")
    found.add_argument("--output", type=Path, help="the stage's folder (default: runs/training/CONFIG/STAGE)")
    found.add_argument(
        "--minutes",
        type=_minutes,
        help="stop after so long, at a step's end, with a checkpoint; the same command goes on",
    )
    found.add_argument("--steps", type=_count, help="rollout steps instead of the configuration's; more go on later")
    found.add_argument("--groups", type=_count, default=24, help="groups of each mode that --stage signal measures")
    found.add_argument("--dry-run", action="store_true", help="say tokens, memory and hours, and end")
    return found


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0")
    return value


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
    if options.dry_run:
        print(told(config, options.stage, options.steps))
        return 0
    output = options.output or Path("runs") / "training" / config.name / options.stage
    stage: RL | None = None
    if options.stage != "signal":
        stage = getattr(config, options.stage)
        if options.steps is not None:
            stage = stage.model_copy(update={"steps": options.steps})
        if Folder(output).ended(stage.steps):
            print(f"trained: {Folder(output).final}")
            return 0
    try:
        import torch  # noqa: F401
        import trl  # noqa: F401
    except ImportError as missing:
        raise InputError("environment", f"there is no {missing.name} here", _EXTRA) from None
    _quieten()
    model = options.model or config.model
    if stage is None:
        from experiments.training.measure_signal import measure

        print(measure(config, model, options.groups))
        return 0
    from experiments.training.reinforce import Begun, reinforce

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a batch system's end is an orderly one
    first = int(os.environ.get("RANK", "0")) == 0
    begun = Begun(config, stage, options.stage, model, Folder(output), options.minutes, Path.cwd())
    ended = reinforce(begun)
    if first and ended:
        print(f"trained: {begun.folder.final}\nBefore and after: docs/training.md says how to measure it")
    elif first:
        print(f"{options.minutes:g} minutes are over; the same command goes on")
    return 0


def _quieten() -> None:
    """Keep the engines' progress bars for single files and their notes to developers off the console."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")


def told(config: Config, stage: str, steps: int | None = None) -> str:
    """What a stage costs, in words."""
    if stage == "signal":
        raise InputError("--dry-run", f"{stage} has no estimate", "It is for trace_rl and operator_rl")
    part: RL = getattr(config, stage)
    if steps is not None:
        part = part.model_copy(update={"steps": steps})
    part.passes(config.shape.group, processes=1)
    found = costs(config, part, config.parameters)
    speed = config.speed
    return "\n".join(
        [
            f"{config.about}: {stage}, {part.steps} rollout steps, {found.updates} updates",
            f"rollouts   {found.rollouts:,} in {found.groups:,} groups ({', '.join(part.shares)})",
            f"tokens     {_tokens(found.drawn)} generated, {_tokens(found.read)} read, "
            f"{_tokens(found.trained)} trained on",
            f"memory     {found.model_bytes / 2**30:,.2f} GiB of weights, gradients and AdamW's state over all "
            "processes; activations and the sampler's KV cache come on top",
            f"time       {found.hours:,.1f} hours at {speed.drawn:,.0f} generated and {speed.trained:,.0f} trained "
            "tokens a second (`speed`; calls of the lengths of `usual`)",
        ]
    )


def _tokens(count: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


if __name__ == "__main__":
    sys.exit(main())
