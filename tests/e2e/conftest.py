"""What people look at, as they see it: a small search's state, the servers that show it, and a headless Chromium.

Chromium and its driver are the system's (Debian: `apt-get install chromium chromium-driver`), selenium is the extra
`e2e`. Without them the tests are skipped, or fail where PDR_E2E_REQUIRED=1 says that they must run.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from fakes.vllm import FakeVLLM

sys.path.insert(0, str(Path(__file__).parents[1] / "optimize"))

from search_support import problems, solve

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 8
STUDY = "looked-at"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1600,1400",
)


def missing(what: str) -> NoReturn:
    """Skip, or fail where these tests are required."""
    if os.environ.get("PDR_E2E_REQUIRED") == "1":
        pytest.fail(f"PDR_E2E_REQUIRED=1, but {what}", pytrace=False)
    pytest.skip(what)


@dataclass(frozen=True)
class Searched:
    """A finished search: the directory it ran in, and its study's."""

    directory: Path

    @property
    def state(self) -> Path:
        """The study's directory."""
        return self.directory / "runs" / STUDY


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A search of a few trials on a scripted model, logged to an MLflow database."""
    directory = tmp_path_factory.mktemp("searched")
    (directory / "data.jsonl").write_text(problems(40), encoding="utf-8")
    with FakeVLLM(context=8192, answer=solve) as model:
        command = [sys.executable, str(ROOT / "optimize" / "search.py"), "--budget", "tokens=4k", "--study", STUDY]
        command += ["--endpoint", model.url, "--data", "data.jsonl", "--trials", str(TRIALS), "--no-racing"]
        command += ["--problems", "8", "--report-problems", "10", "--front", "2"]
        ran = subprocess.run(command, cwd=directory, env=here(), capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr
    return Searched(directory)


@pytest.fixture(scope="session")
def serve() -> Callable[..., Any]:
    """`with serve("command --port {port}", directory, "/path") as url:` runs a server until it is looked at enough."""
    return _served


@contextmanager
def _served(command: str, directory: Path, path: str, seconds: float = 240.0) -> Iterator[str]:
    port = _free_port()
    log = directory / f"server-{port}.log"
    with log.open("w") as out:
        # A session of its own: MLflow's server leaves children behind that only their group still knows.
        process = subprocess.Popen(
            command.format(port=port),
            shell=True,
            cwd=directory,
            env=here(),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url, end = f"http://127.0.0.1:{port}", time.monotonic() + seconds
            while not _answers(url + path):
                if process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"{command} does not serve:\n{log.read_text()[-3000:]}")
                time.sleep(0.5)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def here() -> dict[str, str]:
    """This environment, with its own commands first and the default place of MLflow's runs."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """The browser and its driver."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing("there is no Chromium with its driver (Debian: apt-get install chromium chromium-driver)")
    return browser, driver


@pytest.fixture
def browser(chromium: tuple[str, str], tmp_path: Path) -> Iterator[Any]:
    """A headless Chromium with an empty profile, driven through selenium."""
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        missing("selenium is not installed (pip install -e '.[e2e]')")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium[0]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromium[1]))
    driver.set_page_load_timeout(120)
    yield driver
    driver.quit()
