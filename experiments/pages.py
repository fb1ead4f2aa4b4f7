"""Tables that a command puts into a page, between the comments `<!-- table:NAME -->` and `<!-- /table:NAME -->`."""

from __future__ import annotations

from pathlib import Path

from experiments.questions.markdown import spliced
from pdr_dspy.disk import disk_error
from pdr_dspy.errors import DataError


def check_page(path: Path, name: str) -> None:
    """See to it that `write` will be able to, before there is anything to be written.

    Raises:
        DataError: the page can't be read, or lacks the comments.
        DiskError: it can't be written.
    """
    _with_table(path, name, "")
    try:
        path.open("r+b").close()
    except OSError as error:
        raise disk_error(path, error) from None


def write(path: Path, name: str, text: str) -> None:
    """Put a table into a page.

    Raises:
        DataError: the page can't be read, or lacks the comments.
        DiskError: it can't be written.
    """
    document = _with_table(path, name, text)
    try:
        path.write_text(document, encoding="utf-8")
    except OSError as error:
        raise disk_error(path, error) from None


def _with_table(path: Path, name: str, text: str) -> str:
    mend = f"Give a Markdown file with <!-- table:{name} --> and <!-- /table:{name} -->, once each."
    try:
        return spliced(path.read_text(encoding="utf-8"), "table", name, text)
    except (OSError, ValueError) as error:
        raise DataError("out", f"{path}: {error}", mend) from None
