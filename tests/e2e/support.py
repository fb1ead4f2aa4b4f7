"""Waiting for what a page shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 180.0
"""Seconds a page may take to show something on a busy machine."""


def until(look: Callable[[], T], what: str, page: Any = None, seconds: float = PATIENCE) -> T:
    """What `look` finds, once it finds anything.

    Args:
        look: Returns something true when it is there. What it raises of selenium's (elements that a page has just
            replaced) counts as not there yet.
        what: Said if it never is.
        page: A browser whose text is shown then.

    Raises:
        AssertionError: it never was.
    """
    from selenium.common.exceptions import WebDriverException

    end = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except WebDriverException:
            found = None
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} is not shown; the page says:\n{text(page)[:4000] if page else ''}")
        time.sleep(0.3)


def text(page: Any) -> str:
    """All that a page shows as text."""
    return str(page.find_element("tag name", "body").text)


def shows(page: Any, *words: str) -> None:
    """Wait until a page shows all of these lines or phrases."""
    until(lambda: all(word in text(page) for word in words), " and ".join(map(repr, words)), page)


def severe(page: Any) -> list[str]:
    """Errors in a page's console."""
    return [entry["message"] for entry in page.get_log("browser") if entry["level"] == "SEVERE"]
