"""How the cap on thinking is kept at one endpoint, as far as that is known by now.

Three ways: the server closes the thinking itself (`thinking_token_budget`), or it is stopped, closed and continued by a
second request (`continuation`), or not at all. What is known is learnt from what comes back, because servers ignore
fields they do not know without a word; so is whether a model can be told not to think at all. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pdr_dspy.endpoint.requests import THINKING_FIELD
from pdr_dspy.endpoint.settings import Thinking
from pdr_dspy.errors import EndpointError

Way = Literal["server", "continue", "plain"]

_MEND = "Start vLLM with --reasoning-parser (or --reasoning-config), or set thinking to auto, continue or off"


class ThinkingWay:
    """The way in use; it changes when the server turns out not to go along.

    Args:
        setting: What the user asked for.
        warn: Told once of every change.

    Attributes:
        way: How the next call's cap is kept.
        why: Why thinking can't be continued here; "" as long as nothing says so.
    """

    def __init__(self, setting: Thinking, warn: Callable[[str], None]) -> None:
        self.setting = setting
        self.way: Way = "plain" if setting == "off" else "continue" if setting == "continue" else "server"
        self.why = ""
        self._continued = False
        self._warn = warn

    def refused(self, detail: str) -> None:
        """The server answered the cap with an error.

        Raises:
            EndpointError: the user insists on the server's cap.
        """
        self._leave_server(f"the server refuses {THINKING_FIELD} ({detail})")

    def ignored(self, tokens: int, cap: int) -> None:
        """The server took the cap, and its completion shows that it did not keep to it.

        Raises:
            EndpointError: the user insists on the server's cap.
        """
        if self.way == "server":  # said once, of the first call that shows it
            self._leave_server(f"the server ignores {THINKING_FIELD} ({tokens} tokens of thinking, the cap was {cap})")

    def continued(self) -> None:
        """A thinking was continued: whatever else goes wrong is that call's own affair."""
        self._continued = True

    def not_continued(self, why: str) -> None:
        """A thinking that was stopped could not be continued; where none ever was, none can be here."""
        if not self._continued:
            self.why = why
            self.way = "plain"
            self._warn(f"thinking that reaches its cap can't be closed and continued: {why}")

    def _leave_server(self, problem: str) -> None:
        if self.setting == "server":
            raise EndpointError("thinking", problem, _MEND)
        if self.way == "server":
            self.way = "continue"
            self._warn(f"{problem}: thinking is stopped at its cap, closed, and continued by a second request")


def told_not_to(fields: Mapping[str, Any]) -> bool:
    """Whether a request's fields tell the model not to think."""
    return (fields.get("chat_template_kwargs") or {}).get("enable_thinking") is False
