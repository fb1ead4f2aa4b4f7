"""A grader of one's own: a callable named `package.module:function`."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import sys
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pdr_dspy.data.graders.protocol import Verdict
from pdr_dspy.data.problem import Problem
from pdr_dspy.errors import DataError

_MEND = "Write package.module:function, with `def function(problem: Problem, answer) -> bool` in it."


class Code(Protocol):
    """What `package.module:function` has to be: called with a problem and an answer, it says whether that is right.

    It may be a plain function (it runs in a thread) or a coroutine function, and give a bool or a `Verdict`.
    """

    def __call__(self, problem: Problem, answer: Any, /) -> bool | Verdict | Awaitable[bool | Verdict]:
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
        name: The callable's, with a hash over its source where that can be read: other code judges otherwise.
        code: The callable.
    """

    name: str
    code: Code

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
        try:
            source = inspect.getsource(found)
        except (OSError, TypeError):
            return cls(spec, found)
        return cls(f"{spec}@{hashlib.sha256(source.encode()).hexdigest()[:12]}", found)

    async def __call__(self, problem: Problem, answer: Any) -> Verdict:
        """The callable's word; what it raises counts as a wrong answer that could not be graded."""
        try:
            if inspect.iscoroutinefunction(self.code):
                said: Any = await self.code(problem, answer)
            else:
                said = await asyncio.to_thread(self.code, problem, answer)
                said = await said if inspect.isawaitable(said) else said
        except Exception as error:
            return Verdict(False, "grader", f"{self.name} raised {type(error).__name__}: {error}")
        if isinstance(said, Verdict):
            return said
        if isinstance(said, bool) or type(said).__name__ == "bool_":  # NumPy's own
            return Verdict(bool(said))
        return Verdict(False, "grader", f"{self.name} gave {type(said).__name__}, neither bool nor Verdict")


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
    except Exception as error:
        problem = f"{spec} can't be imported ({type(error).__name__}: {error})"
        raise DataError("grader", problem, _MEND) from error
    finally:
        if added:
            sys.path.remove(here)
    if not callable(found):
        raise DataError("grader", f"{spec} is no function", _MEND)
    return found
