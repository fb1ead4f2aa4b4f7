"""Parquet files, through pyarrow, a batch of rows at a time: a limit reads the beginning alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pdr_dspy.data.files.bytes import GZIP, first_bytes, opened
from pdr_dspy.data.files.row import Row, Rows
from pdr_dspy.errors import DataError

_BATCH = 256


def read_parquet(path: Path) -> Rows:
    """The rows of a Parquet file.

    Raises:
        DataError: it can't be read (also while reading).
    """
    first_bytes(path, 1)
    return Rows(str(path), _rows(path))


def _rows(path: Path) -> Iterator[Row]:
    if first_bytes(path, 2) != GZIP:
        yield from _batches(path, path)
        return
    with tempfile.TemporaryFile() as whole:  # Parquet is read from its end
        with opened(path) as zipped:
            shutil.copyfileobj(zipped, whole)
        yield from _batches(whole, path)


def _batches(file: Any, path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=_BATCH):
                for cells in batch.to_pylist():
                    number += 1
                    yield Row(f"row {number}", cells)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError("data", f"{path} can't be read as Parquet ({reason})", "Write or download it again.") from None
