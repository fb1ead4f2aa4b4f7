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
from pdr_dspy.extras import needed

_BATCH = 256


def read_parquet(path: Path) -> Rows:
    """The rows of a Parquet file.

    Raises:
        DataError: it can't be read (also while reading).
        MissingExtra: from the first row on: the extra hf is not installed.
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
    with needed("hf", f"data {path}"):
        import pyarrow
        import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=_BATCH):
                for cells in _spelled(batch).to_pylist():
                    number += 1
                    yield Row(f"row {number}", cells)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError("data", f"{path} can't be read as Parquet ({reason})", "Write or download it again.") from None


def _spelled(batch: Any) -> Any:
    """The batch with its narrow floats as the doubles of their shortest spelling: 0.1, not 0.10000000149011612."""
    import pyarrow

    columns = [_widened(column) for column in batch.columns]
    return pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _widened(column: Any) -> Any:
    import pyarrow

    if pyarrow.types.is_float32(column.type) or pyarrow.types.is_float16(column.type):
        narrow = column.to_numpy(zero_copy_only=False)
        texts = [
            None if null else float(str(value))
            for value, null in zip(narrow, column.is_null().to_pylist(), strict=True)
        ]
        return pyarrow.array(texts, pyarrow.float64())
    return column
