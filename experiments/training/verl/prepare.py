"""Problems as the rows that verl reads: a JSON line for each, half of them `trace`, half `operator`, in turns.

    python -m experiments.training.verl.prepare problems.jsonl train.jsonl --batch 32
    python -m experiments.training.verl.prepare aime24 aime24.jsonl --mode operator

Each problem comes once a pass, in one mode; the next pass (`--passes`) has it in the other. With `data.shuffle: false`,
as the configuration has it, every batch of an even number of rows is half and half.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.training.verl.rollouts import MODES, Mode
from pdr_dspy.data import Dataset, load_data
from pdr_dspy.data.known import KNOWN
from pdr_dspy.errors import DataError

AGENT = "pdr_operator"


def rows(data: Dataset, signature: str, modes: tuple[Mode, ...], *, passes: int, seed: int) -> Iterator[dict[str, Any]]:
    """verl's rows. verl itself gives each a `uid` for every time that it is drawn.

    Args:
        data: The problems.
        signature: How a rollout names their signature (`experiments.training.verl.rollouts.signature_of`).
        modes: Modes in turn.
        passes: How often each problem comes, each time in the next mode.
        seed: Of the order, which is another one in each pass.

    Yields:
        `agent_name` (the loop), `mode`, `id`, `inputs` (the problem's fields as JSON), `answer`, `grader` and
        `signature` are for the loop; `prompt`, `data_source`, `reward_model` and `extra_info` are what verl asks for.
    """
    place = {problem.id: number for number, problem in enumerate(data.problems)}
    for turn in range(passes):
        order = list(data.problems)
        random.Random(f"{seed}/{turn}").shuffle(order)
        # A problem's mode follows from its own number and the pass; alternating keeps every batch half and half.
        queues = [[p for p in order if (place[p.id] + turn) % len(modes) == number] for number in range(len(modes))]
        for step in range(min(len(queue) for queue in queues)):
            for mode, queue in zip(modes, queues, strict=True):
                problem = queue[step]
                yield {
                    "agent_name": AGENT,
                    "mode": mode,
                    "id": problem.id,
                    "inputs": json.dumps(problem.inputs, ensure_ascii=False),
                    "answer": problem.answer,
                    "grader": data.grader.name,
                    "signature": signature,
                    "prompt": [{"role": "user", "content": "\n\n".join(problem.inputs.values())}],
                    "data_source": f"{data.name}/{mode}",
                    "reward_model": {"style": "rule", "ground_truth": problem.answer or ""},
                    "extra_info": {"index": place[problem.id]},
                }


def signature_name(spec: str, data: Dataset) -> str:
    """What a row calls the data set's signature."""
    name = spec.partition(":")[0]
    if name == "worksheets" or (name in KNOWN and ":" not in spec):
        return name
    return f"{', '.join(data.signature.input_fields)} -> {', '.join(data.signature.output_fields)}"


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the number of rows."""
    parser = argparse.ArgumentParser(prog="python -m experiments.training.verl.prepare", description=__doc__)
    parser.add_argument("data", help="as `pdr_dspy.data.load_data` names it: a path.jsonl, hf:org/name, worksheets:...")
    parser.add_argument("out", type=Path, help="where to write (.jsonl)")
    parser.add_argument("--inputs", help="input columns, separated by commas")
    parser.add_argument("--answer", help="column of the answers")
    parser.add_argument("--grader", help="exact, math, integer or worksheet")
    parser.add_argument("--mode", choices=MODES, help="one mode alone, for validation")
    parser.add_argument("--batch", type=int, default=2, help="rows of a rollout step, to be divided by (default 2)")
    parser.add_argument(
        "--passes", type=int, default=2, help="times that each problem comes (default 2: in both modes)"
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    data = load_data(given.data, inputs=given.inputs, answer=given.answer, grader=given.grader)
    modes = MODES if given.mode is None else (given.mode,)
    passes = given.passes if given.mode is None else 1
    if given.batch < 1 or (given.mode is None and given.batch % 2):
        raise DataError("batch", f"{given.batch} rows are not half and half", "Give an even number.")
    made = list(rows(data, signature_name(given.data, data), modes, passes=passes, seed=given.seed))
    kept = made if given.mode else made[: len(made) // given.batch * given.batch]
    if not kept:
        raise DataError(
            "data", f"{len(data)} problems make no batch of {given.batch}", "Give more, or a smaller batch."
        )
    with given.out.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
    print(f"{len(kept)} rows in {given.out}")
    return len(kept)


if __name__ == "__main__":
    main()
