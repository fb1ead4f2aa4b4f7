"""Tries every fault of a server that the tests know, and says what became of the calls and of the account.

    python -m experiments.faults                              # prints the table, in half a minute
    python -m experiments.faults --out docs/reliability.md    # and puts it between that page's markers

The server is the tests' scripted vLLM (`tests/fakes/counting.py`), which keeps its own count of what it generates,
whatever becomes of the answer. Each fault is tried on six calls: on three the first request fails and the others are
answered, on three every request fails. A call may be sent three times.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.pages import check_page, write
from experiments.questions.markdown import table
from pdr_dspy.caching import disable_cache
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.command.guarded import guarded
from pdr_dspy.endpoint import Endpoint, EndpointSettings, FileAllowance, Secret
from pdr_dspy.errors import CallError, InputError
from pdr_dspy.ledger import open_ledger

TESTS = Path(__file__).resolve().parents[2] / "tests"
CALLS, RETRIES, CAP = 3, 2, 60

sys.path.insert(0, str(TESTS))  # the fake server is the tests' own
from fakes.counting import CountingVLLM, Fault  # noqa: E402
from fakes.faults import KINDS  # noqa: E402


@dataclass(frozen=True)
class Tried:
    """What became of the calls of some faults.

    Attributes:
        faults: How many faults were tried.
        held: Of how many nothing raw came up, and the account was never short.
        calls: Calls made.
        answered: Those that ended in the model's answer.
        typed: Those that ended in an error of the library.
        raw: Those that ended in any other.
        generated: Tokens that the server says it generated.
        counted: Tokens of the ledger.
        lost: Tokens that may have been generated beyond these, as the ledger says.
        booked: Tokens that the allowance (`--spend`) counts.
    """

    faults: int = 0
    held: int = 0
    calls: int = 0
    answered: int = 0
    typed: int = 0
    raw: int = 0
    generated: int = 0
    counted: int = 0
    lost: int = 0
    booked: int = 0

    def __add__(self, other: Tried) -> Tried:
        return Tried(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def tried(name: str, fault: Fault, server: CountingVLLM) -> Tried:
    """Try a fault."""
    server.generated = 0
    answered = typed = raw = 0
    asked = [f"{name} {number}" for number in range(2 * CALLS)]
    for number, text in enumerate(asked):
        server.faults[text] = deque([fault] * (1 if number < CALLS else RETRIES + 1))
    with TemporaryDirectory() as directory, open_ledger() as ledger:
        allowance = FileAllowance(directory)
        settings = EndpointSettings(
            urls=(server.url,),
            api_key=Secret(""),
            retries=RETRIES,
            backoff=0.01,
            timeout=0.5 if fault.kind == "hang" else 60.0,
        )
        with Endpoint.open(settings, None, allowance) as endpoint:
            for text in asked:
                try:
                    with tagged(CallTag()):
                        endpoint.lm(text, max_tokens=CAP)
                    answered += 1
                except Exception as error:  # whatever comes up is what is looked for
                    ours = _is_ours(error)
                    typed, raw = typed + ours, raw + (not ours)
        records = ledger.records
        counted = sum(record.completion_tokens for record in records)
        lost = sum(record.uncounted for record in records)
        return Tried(
            faults=1,
            held=int(raw == 0 and server.generated <= min(allowance.spent, counted + lost)),
            calls=len(asked),
            answered=answered,
            typed=typed,
            raw=raw,
            generated=server.generated,
            counted=counted,
            lost=lost,
            booked=allowance.spent,
        )


def _is_ours(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, CallError | InputError):
            return True
        error = error.__cause__
    return False


def report(found: dict[str, Tried]) -> str:
    """The table."""
    columns = ["fault", "tried", "held", "calls", "answered", "typed errors", "other errors"]
    columns += ["generated", "in the ledger", "lost at most", "booked"]
    rows = []
    for kind, each in found.items():
        ends = (each.faults, each.held, each.calls, each.answered, each.typed, each.raw)
        tokens = (each.generated, each.counted, each.lost, each.booked)
        rows.append((kind, *(f"{number:,}" for number in (*ends, *tokens))))
    return table(columns, rows)


def run(out: Path | None) -> int:
    """Try all of them; 1 where one was not held."""
    if out is not None:
        check_page(out, "faults")
    disable_cache()
    found: dict[str, Tried] = {}
    missed: list[str] = []
    with CountingVLLM() as server:
        for kind, faults in KINDS.items():
            print(f"{kind} ...", file=sys.stderr, flush=True)
            found[kind] = Tried()
            for name, fault in faults.items():
                one = tried(name, fault, server)
                missed += [] if one.held else [f"{name}: {one}"]
                found[kind] += one
    print(report(found))
    print("\n".join(missed), file=sys.stderr)
    if out is not None:
        write(out, "faults", report(found))
    return 1 if missed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    made = argparse.ArgumentParser(
        prog="python -m experiments.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, metavar="FILE", help="put the table between this file's markers")
    options = made.parse_args(arguments)
    return guarded(lambda: run(options.out))


if __name__ == "__main__":
    sys.exit(main())
