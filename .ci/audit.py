"""Asks pip-audit what is known against the pins of a lock, and says it in a line each: `make audit`.

Run by the environment that has pip-audit. The exit code is 0 where nothing is known, 1 where something is, 2 where
not every package could be asked for: then nobody knows.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

CLEAN, KNOWN, UNASKED = 0, 1, 2

COMMAND = ("-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--desc", "off")


def audited(lock: str) -> dict[str, Any] | str:
    """What pip-audit found, or why it found nothing."""
    ran = subprocess.run(
        [sys.executable, *COMMAND, "--format", "json", "-r", lock], capture_output=True, text=True, check=False
    )
    try:
        found: dict[str, Any] = json.loads(ran.stdout)
    except ValueError:
        said = ran.stderr.strip().splitlines()
        return said[-1] if said else f"exit code {ran.returncode}"
    return found


def told(lock: str, found: dict[str, Any] | str) -> tuple[int, list[str]]:
    """The exit code, and the lines: one for each finding, one for what could not be asked for, one for all."""
    if isinstance(found, str):
        return UNASKED, [f"audit of {lock}: nothing could be asked: {found[:300]}"]
    packages = found["dependencies"]
    lines = []
    for package in packages:
        for each in package.get("vulns", []):
            mend = f"mended in {', '.join(each['fix_versions'])}" if each["fix_versions"] else "no version mends it"
            names = ", ".join([each["id"], *each.get("aliases", [])])
            lines.append(f"audit: {package['name']} {package['version']}: {names} ({mend})")
    known, unasked = len(lines), [package for package in packages if "skip_reason" in package]
    if unasked:
        lines.append(f"audit: nothing is known of {len(unasked)} packages, as: {unasked[0]['skip_reason']}")
    lines.append(f"audit of {lock}: {known} known in {len(packages) - len(unasked)} of {len(packages)} packages")
    return KNOWN if known else UNASKED if unasked else CLEAN, lines


def main(lock: str) -> int:
    """The command."""
    code, lines = told(lock, audited(lock))
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
