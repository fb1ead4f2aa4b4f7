"""Data sets of the Hugging Face Hub, through the optional `datasets` library (imported when it is needed)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pdr_dspy.data.files import Row, Rows
from pdr_dspy.errors import DataError
from pdr_dspy.extras import needed

_SPEC = re.compile(r"(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?::(?P<first>[\w.+-]+))?(?::(?P<second>[\w.+-]+))?")


@dataclass(frozen=True)
class HubSpec:
    """A data set of the Hub: `org/name`, `org/name:split` or `org/name:config:split`."""

    repo: str
    config: str | None = None
    split: str | None = None

    @classmethod
    def parse(cls, text: str) -> HubSpec:
        """From what stands after `hf:`.

        Raises:
            DataError: it is none of the three forms.
        """
        match = _SPEC.fullmatch(text)
        if match is None:
            mend = "Write hf:org/name, hf:org/name:split or hf:org/name:config:split."
            raise DataError("data", f"{'hf:' + text!r} names no data set of the Hub", mend)
        repo, first, second = match.group("repo", "first", "second")
        return cls(repo, first, second) if second else cls(repo, None, first)

    def __str__(self) -> str:
        return ":".join(["hf", self.repo, *(part for part in (self.config, self.split) if part)])


def read_hub(spec: HubSpec) -> Rows:
    """The rows of a data set of the Hub.

    Without a split: the only one, or `test` where there are several.

    Raises:
        DataError: the Hub or the data set can't be had.
        MissingExtra: the extra hf is not installed.
    """
    with needed("hf", f"data {spec}"):
        import datasets
    try:
        table = datasets.load_dataset(spec.repo, spec.config, split=spec.split)
    except Exception as error:  # the Hub's client raises a dozen types, from ValueError to requests' own
        problem = f"{spec} can't be loaded ({type(error).__name__}: {_first_line(error)})"
        if "gated" in str(error).lower():
            mend = f"Agree to its terms on huggingface.co/datasets/{spec.repo}, then `hf auth login` (or set HF_TOKEN)."
            raise DataError("data", problem, mend) from error
        mend = "Check name, config, split and network, or give a file of your own."
        raise DataError("data", problem, mend) from error
    rows = _one_split(table, spec)
    return Rows(str(spec), (Row(f"row {number}", cells) for number, cells in enumerate(rows, start=1)))


def _one_split(table: Any, spec: HubSpec) -> Any:
    if spec.split is not None:
        return table
    splits = list(table)
    if len(splits) == 1:
        return table[splits[0]]
    if "test" in splits:
        return table["test"]
    raise DataError("data", f"{spec} has the splits {', '.join(splits)}", f"Name one: {spec}:{splits[0]}.")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"
