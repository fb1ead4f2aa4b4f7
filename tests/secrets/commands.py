"""Runs the commands of a list, one after another, in one process, with every fault that could show a secret.

The list is JSON on stdin: `[[command, variables, arguments], ...]`; what is "crash" fails within, where nobody foresaw
it, with the whole environment in its message; "save" writes a program that is connected.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
import threading
import warnings
from typing import Any


def crash() -> None:
    """Say the environment in every way there is."""
    said = repr(dict(os.environ))

    def fail() -> None:
        raise ValueError(said)

    logging.getLogger("pdr_dspy").warning("a log says %s", said)
    warnings.warn(said, stacklevel=1)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    print(said, file=sys.stderr)
    fail()


def save(url: str) -> None:
    """Save a program in every way there is."""
    import cloudpickle
    import dspy

    from pdr_dspy.endpoint import connect

    with connect(url) as endpoint:
        program = dspy.Predict("question -> answer")
        program.set_lm(endpoint.lm)
        program.save("program.json")
        program.save("program.pkl")
        program.save("program", save_program=True)
        for way in (pickle, cloudpickle):
            with open(f"lm.{way.__name__}", "wb") as file:
                way.dump(endpoint.lm, file)
        print(repr(endpoint.lm), repr(endpoint.settings), vars(endpoint.lm))


def main() -> None:
    """Run the list."""
    from optimize import report, run, search
    from optimize.engine import setup

    modules: dict[str, Any] = {"search": search, "run": run, "report": report, "crash": search}
    plan = setup.make_space
    for command, variables, arguments in json.load(sys.stdin):
        os.environ.update(variables)
        sys.argv = [f"{command}.py", *arguments]
        if command == "save":
            save(*arguments)
            code = 0
        else:
            setup.make_space = (lambda *_, **__: crash()) if command == "crash" else plan
            try:
                code = modules[command].main()
            except SystemExit as error:  # argparse's
                code = error.code
        print(f"[{command} ended with {code}]", flush=True)
        print(f"[{command} ended with {code}]", file=sys.stderr, flush=True)
        for name in variables:
            del os.environ[name]


if __name__ == "__main__":
    main()
