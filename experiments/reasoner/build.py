"""Everything that makes the embedded reasoner, in one command: tokenizer, training, export.

    python -m experiments.reasoner.build --minutes 180 --seed 0

A killed build resumes where its last checkpoint left it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from experiments.reasoner import tokenizer
from experiments.reasoner.templates import Prompts

CONTEXT = 2048


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/reasoner"), help="checkpoints and logs")
    parser.add_argument("--to", type=Path, default=Path("pdr_dspy/embedded/weights"), help="what the library ships")
    parser.add_argument("--minutes", type=float, default=180.0, help="training time by the wall clock")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2, help="one thread each")
    options = parser.parse_args()
    prompts = Prompts()
    prompts.check()
    if not (options.folder / "checkpoint.pt").exists():
        tokenizer.save(tokenizer.build(prompts), options.folder, CONTEXT)
    from experiments.reasoner.train import train  # here: its workers are spawned from a light parent

    train(options.folder, options.minutes, options.seed, 160, options.processes)
    command = [sys.executable, "-m", "experiments.reasoner.export"]
    subprocess.run([*command, "--folder", str(options.folder), "--to", str(options.to)], check=True)


if __name__ == "__main__":
    main()
