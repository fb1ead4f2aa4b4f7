"""Tables and sections of the README as text. Pure: the same results give the same text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pdr_dspy.evaluation import Difference, Evaluation, Interval

SAMPLE_NOTE = "Intervals are 95 %: Wilson's, with the effective number of trials where a problem has several samples; \
differences are paired by problem (Bonett and Price's). Failures count as wrong."


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table. The first column and those of words stand at the left, columns of numbers at the right."""
    words = [i == 0 or any(row[i][:1].isalpha() for row in rows) for i in range(len(columns))]
    head = [_line(columns), _line(["---" if word else "---:" for word in words])]
    return "\n".join([*head, *(_line(row) for row in rows)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def percent(value: float, interval: Interval) -> str:
    """An accuracy with its interval, in %: `55.0 [49.3-60.5]`."""
    return f"{100 * value:.1f} [{100 * interval.low:.1f}-{100 * interval.high:.1f}]"


def accuracy(evaluation: Evaluation) -> str:
    """An evaluation's accuracy with its interval."""
    return percent(evaluation.accuracy, evaluation.interval)


def points(difference: Difference) -> str:
    """A paired difference in points: `+16.2 [+9.0 to +23.1]`."""
    low, high = difference.interval.low, difference.interval.high
    return f"{100 * difference.mean:+.1f} [{100 * low:+.1f} to {100 * high:+.1f}]"


def number(value: float) -> str:
    """A number of tokens: `873`, `12.4k`."""
    from optimize.reporting.numbers import amount

    return amount(value)


def marker(kind: str, name: str) -> tuple[str, str]:
    """The comments a generated part stands between."""
    return f"<!-- {kind}:{name} -->", f"<!-- /{kind}:{name} -->"


def spliced(document: str, kind: str, name: str, text: str) -> str:
    """The document with the text between this part's markers; doing it twice changes nothing more.

    Raises:
        ValueError: the document has not these markers, once each and in order.
    """
    start, end = marker(kind, name)
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if document.count(start) != 1 or document.count(end) != 1 or not pattern.search(document):
        raise ValueError(f"the document needs {start} and {end}, once each")
    return pattern.sub(lambda _: f"{start}\n\n{text.strip()}\n\n{end}", document)
