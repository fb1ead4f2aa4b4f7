"""Everything that makes the embedded reasoner, in one command: tokenizer, training, operator SFT, export.

    python -m experiments.reasoner.build --minutes 180 --seed 0

    runs/reasoner/base         the tokenizer and the first training
    runs/reasoner/model        its end, as the library ships a model
    runs/reasoner/operator-1   operator SFT on its own states, from that model
    runs/reasoner/operator-2   once more, from operator-1

A killed build goes on where its last checkpoint left it, in whichever of them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from experiments import arguments
from experiments.reasoner import tokenizer
from experiments.reasoner.network import SHIPPED
from experiments.reasoner.templates import Prompts
from pdr_dspy.embedded.model import CARD
from pdr_dspy.errors import InputError

CONTEXT, WIDTH = 2048, 160
CONFIG = "embedded"
"""The training configuration whose `operator_sft` is run."""


def build(folder: Path, target: Path, *, minutes: float, seed: int, processes: int, operator: int) -> None:
    """Make the reasoner, or go on making it.

    Args:
        folder: Checkpoints and logs.
        target: Where the result goes.
        minutes: Of the first training, by the wall clock.
        seed: Of the first training and the first operator SFT; each further one counts it up.
        processes: That share each training, one thread each.
        operator: Runs of operator SFT after it.

    Raises:
        InputError: `folder` holds another build.
    """
    model = first(folder / "base", folder / "model", minutes, seed, processes)
    for number in range(operator):
        model = taught(folder / f"operator-{number + 1}", model, seed + number, processes)
    put(model, target)


def first(base: Path, model: Path, minutes: float, seed: int, processes: int) -> Path:
    """The first training, and its end as a folder that the embedded server loads."""
    if (model / CARD).is_file():  # written last
        return model
    prompts = Prompts()
    prompts.check()
    if not (base / "checkpoint.pt").exists():
        tokenizer.save(tokenizer.build(prompts), base, CONTEXT)
    from experiments.reasoner.train import train  # here: its workers are spawned from a light parent

    train(base, minutes, seed, WIDTH, processes)
    from experiments.reasoner.export import load, write_all

    write_all(load(base / "checkpoint.pt"), base, model)
    return model


def taught(folder: Path, model: Path, seed: int, processes: int) -> Path:
    """Operator SFT from a model."""
    from experiments.reasoner.allocation import keep_freed_pages
    from experiments.training.config import load_config
    from experiments.training.folder import Folder
    from experiments.training.operator_sft.begun import Begun
    from experiments.training.operator_sft.config import TeacherSFT
    from experiments.training.operator_sft.train import teach

    stage = load_config(CONFIG).operator_sft
    if not isinstance(stage, TeacherSFT):
        raise InputError(f"{CONFIG}.operator_sft", "has no teacher", "Give it the teacher's keys")
    keep_freed_pages()
    kept = Folder(folder)
    teach(Begun(stage, f"reasoner {folder.name}", seed, model, kept, None, Path.cwd()), processes)
    return kept.final


def put(model: Path, target: Path) -> None:
    """Put a model's files where the library has them, once both engines decode it alike; other files there stay."""
    from experiments.reasoner.agree import compare

    print(compare(model))
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(model.iterdir()):
        shutil.copy(file, target / file.name)


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m experiments.reasoner.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add("--folder", type=Path, default=Path("runs/reasoner"), help="checkpoints and logs (default: %(default)s)")
    add("--to", type=Path, default=SHIPPED, help="where the result goes (default: what the library ships)")
    add(
        "--minutes",
        type=arguments.minutes,
        default=180.0,
        help="the first training takes (default: %(default)g)",
    )
    add("--seed", type=arguments.whole, default=0, help="each run of operator SFT counts it up (default: 0)")
    add("--processes", type=arguments.count, default=2, help="that share each training, one thread each (default: 2)")
    add(
        "--operator",
        type=arguments.whole,
        default=2,
        help="runs of operator SFT, an hour or two each (default: 2)",
    )
    return found


def main() -> int:
    """Command line."""
    options = _parser().parse_args()
    try:
        build(
            options.folder,
            options.to,
            minutes=options.minutes,
            seed=options.seed,
            processes=options.processes,
            operator=options.operator,
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
