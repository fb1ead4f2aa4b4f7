"""PDR against long CoT and its other relatives at matched sequential tokens, on held-out worksheets, over HTTP.

    python experiments/pdr_vs_long_cot.py                 # 300 worksheets of the report split, embedded reasoner

Every strategy is a workflow of the same grammar, run through the whole library against the embedded server (or any
`--endpoint`). Nothing is chosen on these problems: the strategies and caps stand in this file. Completions are kept in
`runs/pdr_vs_long_cot/`, so the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pdr_dspy import bridge  # noqa: E402
from pdr_dspy.workflow import Distill, Previous, Round, Sampling, Summary, Top, Workflow  # noqa: E402

SAMPLING = Sampling(temperature=0.6)
DRAFT = {"thinking": 96, "answer": 112}
LAST = {"thinking": 96, "answer": 176}


def strategies() -> list[Workflow]:
    """Long CoT at rising caps, SR, and PDR by width and distiller."""

    def flow(name: str, *rounds: Round) -> Workflow:
        return Workflow(name=name, rounds=rounds, sampling=SAMPLING)

    def pdr(width: int, distill: Distill) -> tuple[Round, Round]:
        return Round(width=width, distill=distill, **DRAFT), Round(width=1, **LAST)

    chain = Round(width=1, distill=Previous(tokens=160), **DRAFT)
    return [
        *[flow(f"long_cot_{cap}", Round(width=1, thinking=cap, answer=176)) for cap in (128, 192, 256, 304, 384, 1024)],
        flow("sr_4", chain, chain, chain, Round(width=1, **LAST)),
        *[flow(f"pdr_{width}_1", *pdr(width, Summary(tokens=80))) for width in (4, 8, 16)],
        flow("top_8_1", *pdr(8, Top(k=4, tokens=192))),
    ]


def main() -> None:
    """Run the strategies and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=300, help="worksheets of the report split (default: 300)")
    parser.add_argument("--lines", type=int, default=4, help="lines of a worksheet (default: 4)")
    parser.add_argument("--load", type=int, default=32, help="requests in flight (default: 32)")
    parser.add_argument(
        "--endpoint", action="append", help="address of a server; several: replicas (default: embedded)"
    )
    parser.add_argument("--model", help="model name at the endpoint (default: the only one served)")
    parser.add_argument("--only", nargs="*", help="names of the strategies to run (default: all)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "runs" / "pdr_vs_long_cot", help="where completions are kept"
    )
    args = parser.parse_args()

    from pdr_dspy.data import load_data
    from pdr_dspy.data.worksheets import Worksheet
    from pdr_dspy.embedded.launch import start
    from pdr_dspy.endpoint import Endpoint, EndpointSettings, FileStore
    from pdr_dspy.evaluation import evaluate
    from pdr_dspy.modules import PDR

    dataset = load_data(f"worksheets:lines={args.lines},count={args.problems},split=report,seed=7")
    print(f"{args.problems} held-out worksheets of {args.lines} lines, one sample each, load {args.load}")
    header = "strategy", "accuracy", "95 % interval", "gen. on path", "B_seq", "B_total", "p50 s", "failed"
    print(f"{header[0]:14}" + "".join(f"{h:>16}" for h in header[1:]))
    with ExitStack() as stack:
        urls = args.endpoint or [stack.enter_context(start()).base_url]
        settings = EndpointSettings(urls=tuple(urls), model=args.model, load=args.load)
        endpoint = stack.enter_context(Endpoint.open(settings, store=FileStore(args.out)))
        for workflow in strategies():
            if args.only and workflow.name not in args.only:
                continue
            program = PDR(Worksheet, workflow)
            result = bridge.run(evaluate(program, dataset, lm=endpoint.lm))
            low, high = result.interval.low, result.interval.high
            cells = (
                f"{result.accuracy:.3f}", f"{low:.3f}-{high:.3f}", f"{result.mean('seq_generated'):.0f}",
                f"{result.mean('b_seq'):.0f}", f"{result.mean('b_total'):.0f}", f"{result.latency(0.5):.2f}",
                f"{sum(result.failures.values())}",
            )  # fmt: skip
            print(f"{workflow.name:14}" + "".join(f"{c:>16}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
