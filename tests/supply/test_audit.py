"""`make audit` says what pip-audit found, and does not call what could not be asked for clean."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> Any:
    """The script."""
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "six", "version": "1.17.0", "vulns": []}
KNOWN = {
    "name": "old",
    "version": "1.0",
    "vulns": [
        {"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"], "aliases": ["CVE-1"]},
        {"id": "PYSEC-2", "fix_versions": [], "aliases": []},
    ],
}
UNASKED = {"name": "new", "skip_reason": "Dependency not found on PyPI"}


def test_findings_are_told_one_by_one(audit: Any) -> None:
    code, lines = audit.told("lock.txt", {"dependencies": [CLEAN, KNOWN, UNASKED]})
    assert code == audit.KNOWN
    assert lines == [
        "audit: old 1.0: PYSEC-1, CVE-1 (mended in 1.1, 2.0)",
        "audit: old 1.0: PYSEC-2 (no version mends it)",
        "audit: nothing is known of 1 packages, as: Dependency not found on PyPI",
        "audit of lock.txt: 2 known in 2 of 3 packages",
    ]


def test_only_what_was_asked_for_is_clean(audit: Any) -> None:
    assert audit.told("lock.txt", {"dependencies": [CLEAN]})[0] == audit.CLEAN
    assert audit.told("lock.txt", {"dependencies": [CLEAN, UNASKED]})[0] == audit.UNASKED
    code, lines = audit.told("lock.txt", "ConnectionError: no network")
    assert code == audit.UNASKED
    assert lines == ["audit of lock.txt: nothing could be asked: ConnectionError: no network"]
