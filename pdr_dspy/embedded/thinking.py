"""Which tokens of a completion are thinking: one small state machine, used wherever thinking is counted or split off.

The reasoner opens its thinking with one token at the start of a completion and closes it with another. Thinking
that is never closed is thinking to the end; a completion that does not open with the token is all answer, unless its
prompt already ends inside the thinking.
"""

from __future__ import annotations

from typing import Literal

from .jobs import ThinkTokens

Part = Literal["thinking", "answer", "marker"]


class ThinkingState:
    """Follows one completion token by token.

    Attributes:
        inside: Whether the next token, unless it is a marker, is thinking.
        thought: Thinking tokens so far, markers not counted.
    """

    __slots__ = ("_first", "_tokens", "inside", "thought")

    def __init__(self, tokens: ThinkTokens, open_at_start: bool = False) -> None:
        self._tokens = tokens
        self._first = True
        self.inside = open_at_start
        self.thought = 0

    def feed(self, token: int) -> Part:
        """Take the next token and say what it is."""
        first, self._first = self._first, False
        if first and token == self._tokens.start:
            self.inside = True
            return "marker"
        if not self.inside:
            return "answer"
        if token == self._tokens.end:
            self.inside = False
            return "marker"
        self.thought += 1
        return "thinking"
