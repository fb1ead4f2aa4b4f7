"""A checkpoint (by default the shipped one) behind a real vLLM: the command that serves it, and `start_vllm` to run it
beside a program.

    with start_vllm() as server:
        ...  # server.base_url, server.model, as with `start`

On a CPU vLLM needs other settings than on a GPU; they are set here and nowhere else. Whatever is given in `flags` comes
last and so wins.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ..errors import EndpointError
from .process import HOST, EmbeddedReasoner, Log, healthy, spawn, wait_for
from .serve import MODEL_NAME, WEIGHTS
from .vllm_install import VllmInstall, find_vllm

_RUNNER = Path(__file__).with_name("run_vllm.py")

# deepseek_r1 takes an answer without </think> for thinking, and helper calls have none. qwen3 reads
# `enable_thinking: false`, which they carry.
_PARSER = "qwen3"

_QUIET = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
_CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}
_CPU_FLAGS = (
    "--dtype=float32",  # as the embedded engine computes; bf16 is emulated on most CPUs
    "--enforce-eager",  # compiling takes longer than this model's answers
    "--no-enable-chunked-prefill",  # with it, a seeded request ended the engine ("CPU Generator does not use offset")
    "--max-num-batched-tokens=16384",
    "--block-size=32",  # the CPU's default of 128 is longer than most prompts, which could then share nothing
)


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """How vLLM serves.

    Attributes:
        weights: The model's directory.
        host: Address to listen on.
        port: Port.
        served_model_name: Name clients ask for.
        threads: Inference threads (CPU only); None is what OMP_NUM_THREADS says, else one: waiting threads spin.
        reasoning_parser: `think` puts this model's thinking into a field of its own, `none` leaves it in the content;
            any other name is vLLM's.
        parent: Process id this server must not outlive, or None.
        flags: Further flags of `vllm serve`; they win over the ones chosen here.
    """

    weights: Path = WEIGHTS
    host: str = HOST
    port: int = 8000
    served_model_name: str = MODEL_NAME
    threads: int | None = None
    reasoning_parser: str = "think"
    parent: int | None = None
    flags: tuple[str, ...] = ()


def command(install: VllmInstall, settings: VllmSettings) -> list[str]:
    """The command line that serves with this vLLM."""
    line = [str(install.python), str(_RUNNER)]
    if settings.parent is not None:
        line += ["--parent", str(settings.parent)]
    line += ["serve", str(settings.weights), "--served-model-name", settings.served_model_name]
    line += ["--host", settings.host, "--port", str(settings.port), "--enable-prompt-tokens-details"]
    if settings.reasoning_parser != "none":
        name = _PARSER if settings.reasoning_parser == "think" else settings.reasoning_parser
        line += ["--reasoning-parser", name]
    return [*line, *(_CPU_FLAGS if install.cpu else ()), *settings.flags]


def environment(
    install: VllmInstall, settings: VllmSettings, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment variables it runs with; what is set already stays as it is."""
    values = {**_QUIET, **(_CPU_ENVIRONMENT if install.cpu else {}), **(os.environ if environ is None else environ)}
    if settings.threads is not None:
        values["OMP_NUM_THREADS"] = str(settings.threads)
    return values


def become_vllm(install: VllmInstall, settings: VllmSettings) -> NoReturn:
    """Turn this process into the server, so that a Ctrl-C, a signal and the exit status are vLLM's own."""
    line = command(install, settings)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(line[0], line, environment(install, settings))


def start_vllm(
    *,
    python: Path | None = None,
    weights: Path = WEIGHTS,
    port: int = 0,
    served_model_name: str = MODEL_NAME,
    log_path: Path | None = None,
    reasoning_parser: str = "think",
    flags: Sequence[str] = (),
    timeout: float = 300.0,
) -> EmbeddedReasoner:
    """Start vLLM in a process of its own and wait until it answers. Takes 20 to 60 seconds.

    Args:
        python: Python of the environment that has vLLM; None as in `find_vllm`.
        weights: The model's directory.
        port: Port on the loopback interface; 0 is any free one.
        served_model_name: Name clients ask for.
        log_path: Where its output goes; None is a temporary file that goes with the server.
        reasoning_parser: As in `VllmSettings`.
        flags: Further flags of `vllm serve`.
        timeout: Seconds to wait for it to answer.

    Raises:
        EndpointError: There is no vLLM, the port is taken, vLLM ended, or it did not answer in time.
    """
    install = find_vllm(python)
    settings = VllmSettings(
        weights=weights,
        port=free_port(HOST, port),
        served_model_name=served_model_name,
        reasoning_parser=reasoning_parser,
        parent=os.getpid(),
        flags=tuple(flags),
    )
    log = Log.at(log_path)
    process = spawn(command(install, settings), environment(install, settings), log)

    def ready() -> bool | None:
        return True if healthy(settings.port) else None

    wait_for(process, ready, log, seconds=timeout, field="vllm")
    return EmbeddedReasoner(process, settings.port, settings.served_model_name, log)


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0. vLLM itself would say which port it has only in its log, and late if it is taken.

    Raises:
        EndpointError: It is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, OverflowError) as problem:
            raise EndpointError(
                "port", f"cannot listen on {host}:{port}: {problem}", "Use --port 0 for a free one"
            ) from problem
        return int(listener.getsockname()[1])
