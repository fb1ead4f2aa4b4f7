"""Why nothing was right, in words: what failed, one text that did not help, and what to try. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from optimize.objectives.measurement import Measurement
from optimize.reporting.numbers import counts

_MENDS = {
    "unparseable": "ask in another format (--format {other}), or look at what the data asks for (--inputs, --answer)",
    "truncated": "allow more tokens (--budget), or keep the thinking to its cap (--thinking continue)",
    "empty": "allow more tokens (--budget), or keep the thinking to its cap (--thinking continue): all there was may "
    "have been thinking",
    "context": "the model is too short for this: a smaller --budget, or narrower workflows",
    "timeout": "allow more time: seconds= in --budget",
    "budget": "allow more: --budget",
    "grader": "look at the grader (--grader), or at the reference answers (--answer)",
}
_TRY = ("json", "plain", "markers", "xml")
_SERVER = "look at the server"
_WRONG = "is it the right data for this model (--data, --answer)? If the text is no answer at all, try --format {other}"


def diagnosis(measured: Sequence[Measurement], formats: Sequence[str] = ()) -> str:
    """Why nothing was right, and what to try; "" where something was.

    Args:
        measured: What was measured.
        formats: Formats the model was asked in, where that is known.
    """
    if not measured or any(m.accuracy > 0 for m in measured):
        return ""
    failures = Counter[str]()
    for m in measured:
        failures.update(m.failures)
    answers, failed = sum(m.count for m in measured), failures.total()
    if failed == answers:
        kind = failures.most_common(1)[0][0]
        gave = "the one run of a problem gave no" if answers == 1 else f"none of {answers:,} runs of problems gave a"
        said = f"nothing was right: {gave} usable answer ({counts(failures)})"
        mend = _MENDS.get(kind, _SERVER)
    else:
        read = (
            "one answer was read and is wrong"
            if answers - failed == 1
            else f"all {answers - failed:,} answers are wrong"
        )
        said = f"nothing was right: {read}{f'; without an answer: {counts(failures)}' if failed else ''}"
        kind, mend = ("grader", _MENDS["grader"]) if failures["grader"] else ("", _WRONG)
    text = next((m.quote for m in measured if m.quote), "")
    words = "" if kind in _MENDS and kind != "grader" else _words(measured, kind)
    wrote = f"One text: {text!r}." if text else "Nothing was written." if kind == "empty" else ""
    other = next((name for name in _TRY if name not in formats), "plain")
    return " ".join(part for part in (f"{said}.", words, wrote, f"Likely mend: {mend.format(other=other)}.") if part)


def remarks(measured: Sequence[tuple[str, Measurement]], formats: Sequence[str] = ()) -> list[str]:
    """What is to be said below a table: why nothing was right; else which workflow has not one usable answer, and why,
    and which has answers that could not be graded.

    Args:
        measured: Workflows by name.
        formats: As for `diagnosis`.
    """
    if why := diagnosis([m for _, m in measured], formats):
        return [why]
    said = []
    for name, m in measured:
        if sum(m.failures.values()) == m.count:
            said.append(f"{name}: {diagnosis([m], formats)}")
        elif ungraded := m.failures.get("grader", 0):
            which = f"{ungraded} of {m.count:,} answers could not be graded, and count as wrong."
            said.append(" ".join(part for part in (f"{name}: {which}", _words([m], "grader")) if part))
    return said


def _words(measured: Sequence[Measurement], kind: str) -> str:
    """What was said of the first failure of a kind; "" where nothing was."""
    details = (each["detail"] for m in measured for each in m.troubles if kind and each["failure"] == kind)
    first = next(filter(None, details), "")
    return f"The first: {first}." if first else ""
