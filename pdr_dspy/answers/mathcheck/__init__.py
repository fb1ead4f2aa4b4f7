"""Whether two mathematical texts are equal, by sympy and math-verify. Runs inside a worker process only.

`reading` turns a text into sympy, `size` says what is too large to evaluate, `comparing` compares. Imports nothing
else of this library: a worker loads this folder by itself, as fast as sympy allows.
"""

from __future__ import annotations

import sympy.core.random

from .comparing import compare
from .reading import warm
from .size import TooLarge

__all__ = ["TooLarge", "compare", "settle", "warm"]


def settle() -> None:
    """Before each question: what sympy draws at random is the same whatever was asked before."""
    sympy.core.random.seed(0)
