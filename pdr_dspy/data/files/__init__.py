"""Files with problems in them, as rows: JSONL, JSON, CSV, TSV and Parquet, each compressed with gzip or not."""

from __future__ import annotations

from pdr_dspy.data.files.reading import FORMATS, is_file_name, read_file, without_ending
from pdr_dspy.data.files.row import Row, Rows
from pdr_dspy.data.files.shards import is_pattern, read_shards

__all__ = ["FORMATS", "Row", "Rows", "is_file_name", "is_pattern", "read_file", "read_shards", "without_ending"]
