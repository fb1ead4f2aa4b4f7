"""A grader of one's own: a callable named `package.module:function`."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import sys
from collections.abc import Awaitable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

from pdr_dspy.data.graders.calling import Outcome, started, told
from pdr_dspy.data.graders.protocol import Verdict
from pdr_dspy.data.problem import Problem
from pdr_dspy.errors import DataError

LIMIT = 60.0
"""Seconds that one call of a user's callable may take."""

_MEND = "Write package.module:function, with `def function(problem: Problem, answer) -> bool` in it."


class Code(Protocol):
    """What `package.module:function` has to be: called with a problem and an answer, it says whether that is right.

    It may be a plain function or a coroutine function, and gives a bool, 0 or 1, or a `Verdict`; a score between them
    is no verdict. It is called in a thread of its own (a coroutine runs on a loop that graders share), several at a
    time, and given up after `LIMIT` seconds. What it raises, a wrong return value and a call that was given up count as
    a wrong answer with the failure `grader`, and are told. A loader calls it once before anything is spent.
    """

    def __call__(self, problem: Problem, answer: Any, /) -> bool | float | Verdict | Awaitable[bool | float | Verdict]:
        """Whether an answer is right.

        Args:
            problem: With its inputs, reference answer (None where there is none), options and extra columns.
            answer: The graded field's value, as the signature types it.
        """
        ...


@dataclass(frozen=True)
class CodeJudge:
    """Judges with a callable of the user's.

    Attributes:
        name: The callable's, with a hash over its module's file where there is one: other code judges otherwise.
        code: The callable.
        spec: The callable's alone, as it was asked for.
        limit: Seconds that one call may take.
    """

    name: str
    code: Code
    spec: str
    limit: float = LIMIT

    @classmethod
    def load(cls, spec: str) -> CodeJudge:
        """Import `package.module:function`, from the current directory too.

        Raises:
            DataError: it can't be imported, or can't be called with a problem and an answer.
        """
        module_name, _, path = spec.partition(":")
        if not module_name or not path:
            raise DataError("grader", f"{spec!r} names no callable", _MEND)
        found = _imported(spec, module_name, path)
        try:
            inspect.signature(found).bind(None, None)
        except (TypeError, ValueError) as error:
            problem = f"{spec} can't be called with a problem and an answer ({error})"
            raise DataError("grader", problem, _MEND) from error
        source = _source(module_name, found)
        return cls(f"{spec}@{source}" if source else spec, found, spec)

    async def __call__(self, problem: Problem, answer: Any) -> Verdict:
        """The callable's word; what it raises, or gives that is none, counts as an answer that could not be graded."""
        try:
            outcome = await asyncio.wait_for(asyncio.wrap_future(started(self.code, problem, answer)), self.limit)
        except TimeoutError:
            return Verdict(False, "grader", self._late())
        try:
            return self._verdict(outcome)
        except _NoVerdict as error:
            return Verdict(False, "grader", str(error))

    def tried(self, problem: Problem, answer: Any) -> Verdict:
        """Its word on one answer, to see before anything is spent that it gives one. Blocks for `limit` at most.

        Raises:
            DataError: it raised, took too long, or gave no verdict.
        """
        done = started(self.code, problem, answer)
        on = f"on problem {problem.id} with the answer {answer!r}"
        try:
            return self._verdict(done.result(self.limit))
        except TimeoutError:
            done.cancel()
            raise DataError("grader", f"{self._late()} {on}", "Mend it, or name another --grader.") from None
        except _NoVerdict as error:
            raise DataError("grader", f"{error} {on}", "Mend it, or name another --grader.") from error.__cause__

    def _verdict(self, outcome: Outcome) -> Verdict:
        if outcome.raised is not None:
            raise _NoVerdict(f"{self.spec} raised {told(outcome.raised)}") from outcome.raised
        said = outcome.value
        if isinstance(said, Verdict):
            return said
        if type(said).__name__ in ("bool", "bool_"):  # NumPy's own
            return Verdict(bool(said))
        if isinstance(said, Real):
            if said in (0, 1):
                return Verdict(bool(said))
            raise _NoVerdict(f"{self.spec} gave {said}, which is neither right (True, 1) nor wrong (False, 0)")
        raise _NoVerdict(f"{self.spec} gave {type(said).__name__}, neither bool nor Verdict")

    def _late(self) -> str:
        return f"{self.spec} gave no verdict within {self.limit:g} s"


class _NoVerdict(Exception):
    """A call that gave no verdict, in words."""


def _source(module_name: str, found: Any) -> str:
    """A hash over the files of the module that was named and of the one that defines what was found in it."""
    modules = {module_name, getattr(found, "__module__", None) or type(found).__module__}
    digest = hashlib.sha256()
    seen = False
    for name in sorted(modules):
        file = getattr(sys.modules.get(name), "__file__", None)
        try:
            digest.update(Path(file).read_bytes() if file else b"")
        except OSError:
            continue
        seen = seen or file is not None
    return digest.hexdigest()[:12] if seen else ""


def _imported(spec: str, module_name: str, path: str) -> Any:
    here = str(Path.cwd())
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except AttributeError as error:
        raise DataError("grader", f"{module_name} has no {path}", _MEND) from error
    except (Exception, SystemExit) as error:
        problem = f"{spec} can't be imported ({type(error).__name__}: {error})"
        raise DataError("grader", problem, _MEND) from error
    finally:
        if added:
            sys.path.remove(here)
    if not callable(found):
        raise DataError("grader", f"{spec} is no function", _MEND)
    return found
