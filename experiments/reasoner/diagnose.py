"""Where lines are lost: how many claims of the drafts, the workspace and the last draft are right. Over HTTP.

    python -m experiments.reasoner.diagnose --problems 100 --lines 4

It serves a folder of weights, runs one PDR round and a long chain on worksheets of the split `search` through the
library, and counts claims. A tool for whoever trains; the accuracy of strategies is measured by `experiments`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from pathlib import Path

import dspy

from pdr_dspy import bridge
from pdr_dspy.caching import disable_cache
from pdr_dspy.data.worksheets import Line, Worksheet, evaluate, parse_problem, worksheet_correct, worksheets
from pdr_dspy.embedded.launch import start
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.modules import PDR
from pdr_dspy.secrets.secret import Secret
from pdr_dspy.workflow import Round, Sampling, Summary, Workflow

_ANSWER = re.compile(r"^([A-Z]): ([^\n]*)$", re.MULTILINE)
_WORKINGS = re.compile(r"([A-Z]): (\d[^\n]*=[^\n]*)")


def verdict(line: Line | None, formula: str) -> str:
    """What an answer is: right, or how it is wrong."""
    value = evaluate(formula)
    if line is None or value is None:
        return "no such line" if line is None else "no expression"
    own = sorted(value[1]) == sorted(line.numbers)
    if own and value[0] == line.target:
        return "right"
    return "beside the target" if own else "other numbers"


def sound(line: Line | None, workings: str) -> bool:
    """Whether workings end at the target and each equation holds."""
    last = 0
    for equation in workings.split(", "):
        formula, _, result = equation.partition(" = ")
        value = evaluate(formula)
        if value is None or not result.isdigit() or value[0] != int(result):
            return False
        last = int(result)
    return line is not None and last == line.target


async def _runs(program: PDR, texts: list[str], endpoint: Endpoint) -> list[dspy.Prediction | WorkflowFailed]:
    async def one(text: str) -> dspy.Prediction | WorkflowFailed:
        try:
            with dspy.context(lm=endpoint.lm):
                return await program.acall(problem=text)
        except WorkflowFailed as failed:
            return failed

    return list(await asyncio.gather(*(one(text) for text in texts)))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=None, help="folder (default: what the library ships)")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--lines", type=int, default=4)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--thinking", type=int, default=112, help="cap on the drafts' and the last draft's thinking")
    parser.add_argument("--kappa", type=int, default=None, help="workspace tokens (default: 24 a line)")
    options = parser.parse_args()
    room = 40 * options.lines + 24
    sampling = Sampling(temperature=options.temperature)
    draft = Round(
        width=options.width,
        distill=Summary(tokens=options.kappa or 24 * options.lines),
        thinking=options.thinking,
        answer=room,
    )
    flows = {
        "long CoT": Workflow(name="cot", rounds=(Round(width=1, thinking=1500, answer=room),), sampling=sampling),
        "PDR": Workflow(
            name="pdr",
            rounds=(draft, Round(width=1, thinking=options.thinking, answer=room)),
            sampling=sampling,
        ),
    }
    texts = [item.inputs["problem"] for item in worksheets(options.problems, options.lines, "search", 0)]
    sheets = [parse_problem(text) for text in texts]
    disable_cache()
    with start(weights=options.weights) as server:
        settings = EndpointSettings(urls=(server.base_url,), api_key=Secret(server.api_key), load=32)
        with Endpoint.open(settings) as endpoint:
            for name, flow in flows.items():
                found = bridge.run(_runs(PDR(Worksheet, flow), texts, endpoint))
                _report(name, texts, sheets, found)


def _report(
    name: str, texts: list[str], sheets: list[dict[str, Line]], found: list[dspy.Prediction | WorkflowFailed]
) -> None:
    solved = sum(
        worksheet_correct(text, item.answer)
        for text, item in zip(texts, found, strict=True)
        if not isinstance(item, WorkflowFailed)
    )
    records = [item.record if isinstance(item, WorkflowFailed) else item.run for item in found]
    path = sum(record.meters.seq_generated for record in records) / len(records)
    print(f"== {name}: {solved} of {len(texts)} solved, {path:.0f} generated tokens on the path")
    for number in range(max(len(record.rounds) for record in records)):
        kinds: Counter[str] = Counter()
        spaces: Counter[str] = Counter()
        for record, sheet in zip(records, sheets, strict=True):
            if number >= len(record.rounds):
                continue
            this = record.rounds[number]
            kinds["failed"] += len(this.failed)
            for draft in this.drafts:
                answers = _ANSWER.findall(str(draft.outputs["answer"]))
                kinds.update(verdict(sheet.get(label), formula) for label, formula in answers)
                kinds["missing"] += len(sheet.keys() - {label for label, _ in answers})
            for workspace in this.workspaces[:1]:
                rows = _WORKINGS.findall(workspace)
                spaces.update("right" if sound(sheet.get(label), text) else "wrong" for label, text in rows)
                spaces["missing"] += len(sheet.keys() - {label for label, _ in rows})
        print(f"   round {number + 1} drafts: {dict(kinds.most_common())}")
        if number:
            print(f"   round {number + 1} workspace: {dict(spaces.most_common())}")


if __name__ == "__main__":
    main()
