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
from pdr_dspy.data import GRADERS, Dataset
from pdr_dspy.data.known import KNOWN
from pdr_dspy.data_options import DATA, add_reading, load_asked, reading
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
        `agent_name` (the loop), `mode`, `id`, `inputs` (the problem's fields as JSON), `answer`, `grader`, `signature`
        with its `instructions`, `options` and `answers` are for the loop; `prompt`, `data_source`, `reward_model` and
        `extra_info` are what verl asks for.
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
                    "instructions": data.signature.instructions,
                    "options": json.dumps(problem.options, ensure_ascii=False),
                    "answers": json.dumps(problem.answers, ensure_ascii=False),
                    "prompt": [{"role": "user", "content": "\n\n".join(problem.inputs.values())}],
                    "data_source": f"{data.name}/{mode}",
                    "reward_model": {"style": "rule", "ground_truth": problem.answer or ""},
                    "extra_info": {"index": place[problem.id]},
                }


def signature_name(spec: str, data: Dataset) -> str:
    """What a row calls the data set's signature.

    Raises:
        DataError: a field's type has no short name.
    """
    name = spec.partition(":")[0]
    fields = {field: info.annotation for field, info in data.signature.fields.items()}
    if (name == "worksheets" or (name in KNOWN and ":" not in spec)) and fields == {"problem": str, "answer": str}:
        return name
    if odd := [field for field, kind in fields.items() if kind not in (str, int, float, bool)]:
        mend = "Use str, int, float or bool."
        raise DataError("signature", f"verl's rows can't carry the type of {', '.join(odd)}", mend)
    inputs, outputs = (
        ", ".join(field if fields[field] is str else f"{field}: {fields[field].__name__}" for field in side)
        for side in (data.signature.input_fields, data.signature.output_fields)
    )
    return f"{inputs} -> {outputs}"


def _check(data: Dataset, given: argparse.Namespace) -> None:
    """Refuse what a row can't carry: a rollout makes its grader anew, from the grader's name.

    Raises:
        DataError: a task's own verifier, or a tolerance.
    """
    if given.tolerance is not None or data.grader.name not in GRADERS:
        mend = f"Use one of {', '.join(GRADERS)}, without --tolerance."
        raise DataError("grader", f"verl's rows can't carry the grader {data.grader.name!r}", mend)


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the number of rows."""
    parser = argparse.ArgumentParser(prog="python -m experiments.training.verl.prepare", description=__doc__)
    parser.add_argument("data", help=DATA)
    parser.add_argument("out", type=Path, help="where to write (.jsonl)")
    add_reading(parser)
    parser.add_argument("--mode", choices=MODES, help="one mode alone, for validation")
    parser.add_argument("--batch", type=int, default=2, help="rows of a rollout step, to be divided by (default 2)")
    parser.add_argument(
        "--passes", type=int, default=2, help="times that each problem comes (default 2: in both modes)"
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    data = load_asked(given.data, reading(given))
    _check(data, given)
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
