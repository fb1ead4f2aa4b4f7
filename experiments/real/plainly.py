"""The model asked as a person would ask it, without the library, and read as a patient person would read it.

This is what the library is held against, so nothing here uses it: the bare problem is the whole request, and a text
counts as right if any reasonable reading of it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from experiments.real.problems import Easy

_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SAID = re.compile(r"answer\W[^\n]*", re.IGNORECASE)
_NAMED = re.compile(r"(\w+) is a \w+\.")


def ask_plainly(base_url: str, model: str, problems: Sequence[Easy], *, max_tokens: int, load: int = 1) -> list[str]:
    """What the model says to the bare problems, at temperature 0.

    Args:
        base_url: The server, `http://host:port/v1`.
        model: Name the model is served under.
        problems: What is asked, each in a request of its own.
        max_tokens: Most tokens of an answer.
        load: Requests in flight. One at a time, sums of bf16 do not depend on what is computed beside them.

    Raises:
        httpx.HTTPError: The server did not answer one.
    """
    # A connection for each request: an idle one may be closed by the server just as it is used again.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(timeout=600, trust_env=False, limits=limits) as http, ThreadPoolExecutor(load) as threads:

        def ask(problem: Easy) -> str:
            messages = [{"role": "user", "content": problem.problem}]
            body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": max_tokens}
            reply = http.post(f"{base_url}/chat/completions", json=body).raise_for_status().json()
            return str(reply["choices"][0]["message"]["content"] or "")

        return list(threads.map(ask, problems))


def right_if_read_generously(problem: Easy, text: str) -> bool:
    """Whether the text, its first sentence, its last one, or what follows a word `answer` in it gives the answer.

    Such a part gives a number that is the last one in it, and a name that stands in it while no other name that the
    problem offers does.
    """
    sentences = [part for part in _SENTENCES.split(text) if part.strip()]
    parts = [text, *sentences[:1], *sentences[-1:], *_SAID.findall(text)]
    if problem.kind in ("sum", "read"):
        return any(numbers and float(numbers[-1]) == float(problem.answer) for numbers in map(_NUMBER.findall, parts))
    others = [name for name in _NAMED.findall(problem.problem) if name != problem.answer]
    return any(_stands(problem.answer, part) and not any(_stands(name, part) for name in others) for part in parts)


def _stands(name: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) is not None
