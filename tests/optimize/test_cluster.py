"""Four workers on a real PostgreSQL and a real MLflow server, one of them killed; and many at once, dying at random.

Every worker has a directory of its own, as on a machine of its own: only the database says who is dead.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from fakes import postgres
from fakes.postgres import Postgres
from fakes.vllm import HANG, Call, FakeVLLM, Reply
from optuna.trial import FrozenTrial
from search_support import Notes, measured, solve

from optimize.engine import loop
from optimize.engine.loop import Search
from optimize.objectives.measurement import Measurement
from optimize.space.fitting import make_space
from optimize.study import database, storages
from optimize.study.claims import DUPLICATE_OF, KEY, evaluated
from optimize.study.database import Database
from optimize.study.storages import open_storage
from optimize.study.study import Study
from optimize.study.trials import Suggestion
from pdr_dspy.budget import parse_budget

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TRIALS = 24
IMPATIENT = """
import sys
import mlflow  # takes seconds, and would be imported in the first trial
from optimize.engine import loop
from optimize.study import storages
storages.HEARTBEAT, storages.GRACE, loop.LOOK = 1, 6, 1.0
sys.argv[0] = "optimize/search.py"
from optimize.search import main
raise SystemExit(main())
"""
"""The command, with a heartbeat of a second instead of a minute."""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A PostgreSQL."""
    binaries = postgres.binaries()
    if binaries is None and not os.environ.get("PDR_POSTGRES_REQUIRED"):
        pytest.skip("there is no PostgreSQL here (Debian: apt-get install postgresql)")
    assert binaries is not None, "PDR_POSTGRES_REQUIRED is set, and there is no PostgreSQL"
    with postgres.running(binaries) as started:
        yield started


@contextmanager
def mlflow_server(database: str, directory: Path) -> Iterator[str]:
    """A tracking server; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(directory / "artifacts")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (directory / "mlflow.log").open("wb") as log:
        running = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert running.poll() is None, (directory / "mlflow.log").read_text()
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(running.pid, signal.SIGTERM)  # the server and the processes it started
        running.wait(60)


class Cluster:
    """Worker processes, each in a directory of its own."""

    def __init__(self, home: Path, model: FakeVLLM, data: Path, storage: str, tracking: str) -> None:
        self.home = home
        self.model = model
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": tracking}
        self._arguments = ["--budget", "tokens=4k", "--endpoint", model.url, "--load", "4", "--data", str(data)]
        self._arguments += ["--topologies", "1,2-1,4-1,2-vote,4-vote,2-2-1", "--problems", "3", "--no-racing"]
        self._arguments += ["--report-problems", "3", "--front", "1", "--storage", storage]
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, study: str, trials: int) -> None:
        """Start a worker; the model knows its requests by its key."""
        directory = self.home / name
        directory.mkdir(exist_ok=True)
        command = [sys.executable, "-c", IMPATIENT, *self._arguments, "--study", study, "--trials", str(trials)]
        with (directory / "log").open("ab") as log:
            self.workers[name] = subprocess.Popen(
                command,
                cwd=directory,
                env={**self._environment, "PDR_API_KEY": f"key-of-{name}"},
                stdout=log,
                stderr=log,
            )

    def log(self, name: str) -> str:
        """What a worker has said."""
        return (self.home / name / "log").read_text()

    def kill(self, name: str) -> subprocess.Popen[bytes]:
        """Kill a worker; the process that was."""
        victim = self.workers[name]
        victim.kill()
        victim.wait()
        return victim

    def wait(self, name: str) -> None:
        """Wait for a worker to end well."""
        assert self.workers[name].wait(1200) == 0, self.log(name)

    def asked(self, name: str) -> bool:
        """Whether a worker, which must not have ended, has asked the model."""
        assert self.workers[name].poll() is None, self.log(name)
        return any(self.asked_by(name, call) for call in self.model.calls)

    @staticmethod
    def asked_by(name: str, call: Call) -> bool:
        """Whether a request is this worker's."""
        return call.headers.get("authorization") == f"Bearer key-of-{name}"

    def rate_of(self, names: list[str], study: str) -> float:
        """Start these workers; their answers a second from when all have asked: until then the model keeps silent."""
        self.model.held = True
        for name in names:
            self.start(name, study, TRIALS)
        for name in names:
            until(lambda name=name: self.asked(name), 900, f"{name} never asked")
        self.model.held = False
        began = time.time()
        time.sleep(30)
        ended = time.time()
        return sum(c.status == 200 and began <= (c.ended or 0) <= ended for c in self.model.calls) / (ended - began)


def until(condition: Any, seconds: float, what: str) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.2)


def test_four_workers_one_killed(
    server: Postgres, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.answer = lambda call: slow(call)
    storage = server.create("optuna")
    with mlflow_server(server.create("mlflow"), tmp_path) as tracking:
        cluster = Cluster(tmp_path, model, data, storage, tracking)

        alone = cluster.rate_of(["alone"], "alone")
        cluster.kill("alone")
        four = [f"w{i}" for i in range(4)]
        together = cluster.rate_of(four, "four")
        # What the victim asks from here on is never answered, so it dies in the middle of a trial.
        model.answer = lambda call: HANG if cluster.asked_by("w1", call) else slow(call)
        asked = len(model.calls)
        until(lambda: any(cluster.asked_by("w1", c) for c in model.calls[asked:]), 120, "w1 had no trial to die in")
        victim = cluster.kill("w1")
        study = optuna.load_study(study_name="four", storage=open_storage(storage, tmp_path))
        # On a busy machine another worker may already have found its last sign of life too old.
        lost = [t for t in study.get_trials() if t.state.name in ("RUNNING", "FAIL") and of(victim, t)]
        assert lost
        for name in four:
            if name != "w1":
                cluster.wait(name)

        with capsys.disabled():
            print(f"\nanswers a second: one worker {alone:.1f}, four {together:.1f} ({together / alone:.2f} times)")
        trials = study.get_trials()
        complete = evaluated(trials)
        keys = [t.user_attrs[KEY] for t in complete]
        assert len(keys) == len(set(keys)) == TRIALS
        assert {t.state.name for t in trials} <= {"COMPLETE", "FAIL", "WAITING"}
        for each in lost:
            assert trials[each.number].state.name == "FAIL"
            mine = next(t for t in complete if t.user_attrs[KEY] == each.user_attrs[KEY])
            assert not of(victim, mine)
        logs = {name: cluster.log(name) for name in four}
        reporters = [name for name in four if "accuracy [95 %]" in logs[name]]
        assert len(reporters) == 1 and "Traceback" not in "".join(logs.values())
        assert all("report" in logs[name] for name in four if name != "w1")

        assert_in_mlflow(tracking, "four", {t.number for t in complete})
        assert_replayed(cluster, reporters[0], four)
        page = [sys.executable, str(ROOT / "optimize" / "report.py"), "four", "--storage", storage]
        shown = subprocess.run(
            [*page, "--out", "page.html"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
        )
        assert f"{TRIALS} trials of four".encode() in shown.stdout, shown.stderr
    said = [p for p in tmp_path.rglob("*") if p.is_file() and postgres.PASSWORD.encode() in p.read_bytes()]
    assert said == []
    assert together > 2 * alone


def of(worker: subprocess.Popen[bytes], trial: FrozenTrial) -> bool:
    """Whether a trial is, or was, this process's."""
    return f":{worker.pid}-" in trial.user_attrs.get("owner", "")


def slow(call: Call) -> Reply:
    """A model whose answers take their time, however many ask. Right ones: of three wrong ones there is no winner."""
    return solve(call, delay=6.0, always=True)


def assert_in_mlflow(tracking: str, study: str, complete: set[int]) -> None:
    """Every complete trial is one finished run, nothing else is, and the study is one finished run."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracking)
    experiment = client.get_experiment_by_name(study)
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    trials = [int(r.data.tags["trial"]) for r in runs if r.data.tags["role"] == "trial" and r.info.status == "FINISHED"]
    assert sorted(trials) == sorted(complete)
    assert {r.info.status for r in runs} <= {"FINISHED", "KILLED"}
    studies = [r for r in runs if r.data.tags["role"] == "study"]
    assert [r.info.status for r in studies] == ["FINISHED"]
    kept = {a.path for a in client.list_artifacts(studies[0].info.run_id)}
    assert {"winner.yaml", "front.json", "report.html"} <= kept


def assert_replayed(cluster: Cluster, reporter: str, names: list[str]) -> None:
    """With all stores copied together, another machine tells the report again without a request."""
    stores = [cluster.home / name / "runs" / "four" / "store" for name in names]
    merged = cluster.home / "late" / "runs" / "four" / "store"
    merged.mkdir(parents=True)
    for segment in (path for store in stores for path in store.glob("*.jsonl")):
        shutil.copy(segment, merged)
    before = len(cluster.model.calls)
    cluster.start("late", "four", TRIALS)
    cluster.wait("late")
    assert "all replayed" in cluster.log("late") and len(cluster.model.calls) == before


def test_many_workers_that_die_at_random_lose_nothing_and_double_nothing(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than the living may be kept from a sign of life on a busy machine: what they do is measured once only.
    monkeypatch.setattr(storages, "GRACE", 10)
    monkeypatch.setattr(loop, "LOOK", 0.2)
    space = make_space(parse_budget("tokens=16k"), 2048, topologies=["1", "2-1", "4-1", "8-1"])
    url, dice, lost = server.create("many"), random.Random(7), []
    turns: list[str] = []
    measuring: list[str] = []

    def worker(number: int, mortal: bool) -> None:
        study = Study(open_storage(url, tmp_path, heartbeat=1), "s", space, {}, seed=0, owner=f"w{number}")
        begun = 0

        async def work(suggestion: Suggestion) -> Measurement:
            nonlocal begun
            begun += 1
            if mortal and begun == 3:  # whatever it has beside goes with it
                lost.append(suggestion.candidate.key)
                study._heartbeat.stop()  # as after a kill: no sign of life, and nothing is told any more
                raise Dead
            if not mortal:
                measuring.append(suggestion.candidate.key)
            await asyncio.sleep(dice.uniform(0.02, 0.2))
            return measured(dice.random(), dice.random())

        async def record(suggestion: Suggestion, result: Measurement) -> None:
            return None

        async def search() -> None:
            running = Search(study, work, record, Notes(), 40, jobs=2)
            if mortal:
                monkeypatch.setattr(running, "_abandon", nothing)
            await running.run(asyncio.Event())

        try:
            asyncio.run(search())
        except Dead:
            return
        assert study.workers is not None
        study.workers.leave()
        turn = study.workers.turn(lambda: len(study.complete))
        turns.append(turn.whose)
        if turn.whose == "mine":
            study.workers.reported("here")
        study.close()

    threads = [threading.Thread(target=worker, args=(n, n < 3)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    trials = optuna.load_study(study_name="s", storage=open_storage(url, tmp_path)).get_trials()
    complete = evaluated(trials)
    keys = [t.user_attrs[KEY] for t in complete]
    assert len(keys) == len(set(keys)) == 40
    assert len(lost) == 3
    assert set(lost) <= set(keys), "\n".join(f"{t.number} {t.state.name} {t.user_attrs}" for t in trials)
    assert len(measuring) == len(set(measuring))  # not only told once: measured once by those who lived
    print(f"{len(trials)} trials in the storage")
    assert not [t for t in trials if t.state.name == "RUNNING"]
    assert turns.count("mine") <= 1
    starts = {t.user_attrs.get("start") for t in complete}
    assert set(space.starters()) <= starts | {None}, [t.number for t in trials if DUPLICATE_OF in t.user_attrs]


async def test_a_database_that_goes_away_and_comes_back(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in mid-trial it breaks all connections and takes none, until a worker has noticed and waits for it."""
    import psycopg

    monkeypatch.setattr(loop, "LOOK", 0.2)
    monkeypatch.setattr(database, "AGAIN", 0.1)
    url = server.create("blip")
    storage = open_storage(url, tmp_path)
    assert isinstance(storage, Database)
    study = Study(storage, "s", make_space(parse_budget("tokens=16k"), 2048), {}, seed=0, owner="w")
    keys: list[str] = []

    def outage() -> None:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute('ALTER DATABASE "blip" ALLOW_CONNECTIONS false')
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'blip'")
            until(lambda: storage._away is not None, 300, "nobody noticed")
            connection.execute('ALTER DATABASE "blip" ALLOW_CONNECTIONS true')

    async def work(suggestion: Suggestion) -> Measurement:
        keys.append(suggestion.candidate.key)
        if len(keys) in (2, 4):
            await asyncio.to_thread(outage)
        return measured(0.5, 1.0)

    async def record(suggestion: Suggestion, result: Measurement) -> None:
        study.attach(suggestion, "run", "x")

    search = Search(study, work, record, Notes(), 6, jobs=2)
    assert await search.run(asyncio.Event()) == "complete"
    assert len(keys) == len(set(keys)) == len(study.complete) == 6
    study.close()


class Dead(Exception):
    """A worker's end."""


async def nothing() -> None:
    """What a killed worker does at its end."""
