"""Faults of a server, by kind and by name; `CountingVLLM` does them."""

from __future__ import annotations

from fakes.counting import Fault

REFUSALS = (
    301, 307, 308, 400, 401, 402, 403, 404, 405, 407, 410, 411, 413, 414, 415, 417, 421, 422, 425, 426, 428, 429, 431,
    451, 501, 505,
)  # fmt: skip
"""Statuses that come before the first token."""

AFTER = (302, 303, 406, 408, 409, 423, 424, 499, 500, 502, 503, 504, 507, 520, 524, 529)
"""Statuses that may come after the last token."""

KINDS: dict[str, dict[str, Fault]] = {
    "refused before the first token": {
        f"{status} before": Fault("status", after=False, status=status) for status in REFUSALS
    },
    "an error's status": {
        f"{status} {'after' if after else 'before'}": Fault("status", after=after, status=status)
        for status in AFTER
        for after in (True, False)
    },
    "a connection that breaks or hangs": {
        **{
            f"{kind} {'after' if after else 'before'}": Fault(kind, after=after)
            for kind in ("close", "reset", "hang")
            for after in (True, False)
        },
        "cut": Fault("cut"),
        "short": Fault("short"),
    },
    "a body that can't be read": {
        "zipped": Fault("zipped"),
        "html": Fault("raw", raw="<html>welcome</html>"),
        "half": Fault("raw", raw='{"choices": [{"ind'),
        "no choice": Fault("raw", raw='{"choices": []}'),
        "null": Fault("raw", raw="null"),
        "an error in a 200": Fault("raw", raw='{"error": "maximum context length is 7 tokens"}'),
        "content of no known type": Fault("raw", raw='{"choices": [{"message": {"content": [{"type": "image"}]}}]}'),
    },
    "an answer that is broken off": {
        "broken off": Fault(finish="abort"),
        "broken off, unsaid": Fault(finish="error", usage=False),
    },
    "a usage that can't be true": {
        "no usage": Fault(usage=False),
        "no tokens": Fault(usage={"completion_tokens": 0}),
        "far too few": Fault(tokens=50, usage={"completion_tokens": 1}),
        "far too many": Fault(usage={"completion_tokens": 10**9}),
        "negative": Fault(usage={"completion_tokens": -7}),
        "no number": Fault(usage={"completion_tokens": float("nan")}),
        "nested": Fault(usage={"completion_tokens": {"completion_tokens": 3}}),
        "a text": Fault(usage={"completion_tokens": "12"}),
    },
    "a cap that is ignored": {"cap ignored": Fault(tokens=90, beyond=True)},
}

FAULTS = {name: fault for faults in KINDS.values() for name, fault in faults.items()}
