"""`kill -9` at fifty instants of a search's life: the same command goes on, and all of them together are one search.

Every life is the command itself, forked from a process that has everything imported (`nursery`), and killed by SIGKILL:
while it starts, proposes, measures, reports and writes its files. The embedded reasoner gives the same answer to the
same request, and with `--jobs 1 --latency tokens` nothing else decides, so what comes of it must equal what comes of
the undisturbed search: the same trials in the same order, the same front, the same completions.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optimize.study.claims import DUPLICATE_OF
from optimize.study.stale_trials import KEY
from optimize.study.storages import open_storage
from optimize.study.trials import METRICS
from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.embedded import EmbeddedReasoner
from pdr_dspy.endpoint import FileAllowance

pytestmark = [pytest.mark.slow, pytest.mark.embedded]

KILLS = int(os.environ.get("PDR_TEST_KILLS", "50"))
LOAD = 16
SEARCH = "--budget tokens=600 --data worksheets:lines=1 --problems 5 --report-problems 5 --trials 6 --front 2 --study s"
SEARCH += f" --jobs 1 --latency tokens --topologies 1,2-vote,2-1 --load {LOAD}"

Life = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def life() -> Iterator[Life]:
    """`life(directory, *more, seconds=..., records=..., then=...)`: one life of the command; see `nursery`."""
    here = Path(__file__).parent
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = str(here.parents[1])
    nursery = subprocess.Popen(
        [sys.executable, str(here / "nursery.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert nursery.stdin is not None and nursery.stdout is not None
    assert json.loads(nursery.stdout.readline()) == {"ready": True}

    def lived(directory: Path, *more: str, **when: float) -> dict[str, Any]:
        directory.mkdir(exist_ok=True)
        request = {"argv": [*SEARCH.split(), *more], "cwd": str(directory), "log": str(directory / "log"), **when}
        request["store"] = str(directory / "runs" / "s" / "store")
        assert nursery.stdin is not None and nursery.stdout is not None
        nursery.stdin.write(json.dumps(request) + "\n")
        nursery.stdin.flush()
        answer: dict[str, Any] = json.loads(nursery.stdout.readline())
        return answer

    yield lived
    nursery.stdin.close()
    nursery.wait(30)


def generated(server: EmbeddedReasoner) -> int:
    """Tokens the server has generated since its start, once it is idle."""
    url = server.base_url.removesuffix("/v1") + "/metrics"
    for _ in range(600):
        with urllib.request.urlopen(url, timeout=10) as reply:
            text = reply.read().decode()
        number = {name: float(value) for name, value in re.findall(r"^(vllm:\w+)\{[^}]*\} (\S+)$", text, re.M)}
        if not number["vllm:num_requests_running"] and not number["vllm:num_requests_waiting"]:
            return int(number["vllm:generation_tokens_total"])
        time.sleep(0.1)
    raise AssertionError("the server never came to rest")


def stored(directory: Path) -> dict[str, int]:
    """Key to generated tokens of every completion that is kept; no key is kept twice."""
    lines = [x for p in (directory / "runs" / "s" / "store").iterdir() for x in p.read_bytes().splitlines(True)]
    records = [json.loads(line) for line in lines if line.endswith(b"\n")]
    assert len({record["key"] for record in records}) == len(records)
    return {r["key"]: r["completion"]["body"]["usage"]["completion_tokens"] for r in records}


def trials(directory: Path) -> list[Any]:
    """The study's complete trials, in their order."""
    storage = open_storage(None, directory / "runs" / "s")
    (study,) = storage.get_all_studies()
    return [t for t in storage.get_all_trials(study._study_id) if t.state.name == "COMPLETE"]


def told(directory: Path) -> list[Any]:
    """What the report says, without the seconds."""
    rows = json.loads((directory / "runs" / "s" / "front.json").read_text())["rows"]
    kept = ("accuracy", "low", "high", "count", "failures")
    same = ("title", "workflow", "baseline", "search_front", "titles", "winner")
    return [
        [*(row[name] for name in same), *((row[side] or {}).get(k) for side in ("search", "report") for k in kept)]
        for row in rows
    ]


def spend(directory: Path) -> tuple[int, int]:
    """(Tokens booked, tokens that requests in flight at a kill had set aside) by the study's own account."""
    open_: dict[str, int] = {}
    booked = 0
    for path in (directory / "runs" / "s" / "spend").glob("*.spend"):
        for line in path.read_text().splitlines():
            name, tokens = line[1:].split()
            if line.startswith("+"):
                open_[name] = int(tokens)
            else:
                open_.pop(name)
                booked += int(tokens)
    return booked, sum(open_.values())


def plans(dice: random.Random, records: int, lifetime: float) -> list[dict[str, float]]:
    """When the lives end: some at any second, most at any completion, the last ones while it replays and reports."""
    at_once = [{"seconds": dice.uniform(0.0, lifetime / 2)} for _ in range(KILLS // 5)]
    counts = sorted(dice.randint(0, records) for _ in range(3 * KILLS // 5))
    counted = [{"records": count, "then": dice.uniform(0.0, 0.4)} for count in counts]
    for plan in at_once:
        counted.insert(dice.randrange(len(counted)), plan)
    return counted + [{"seconds": dice.uniform(0.0, 1.2 * lifetime)} for _ in range(KILLS - len(counted))]


def test_fifty_kills_are_one_search(life: Life, embedded_server: EmbeddedReasoner, tmp_path: Path) -> None:
    where = ("--endpoint", embedded_server.base_url)
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    assert life(calm, *where)["code"] == 0, (calm / "log").read_text()
    again = life(tmp_path / "warm", *where)  # how long a life is that imports nothing
    wanted, start = stored(calm), generated(embedded_server)
    assert stored(tmp_path / "warm") == wanted and told(tmp_path / "warm") == told(calm)

    limit = ("--spend", "tokens=5m")
    kills = 0
    for plan in plans(random.Random(0), len(wanted), again["lifetime"]):
        ended = life(killed, *where, *limit, **plan)
        kills += ended["code"] is None
        assert ended["code"] in (None, 0), (killed / "log").read_text()
    quarter = again["lifetime"] / 4
    while kills < KILLS:  # some of the last ones came to their end
        ended = life(killed, *where, *limit, seconds=quarter)
        kills += ended["code"] is None
        if ended["code"] is not None:  # the machine is less busy now than when that was taken
            quarter = ended["lifetime"] / 4
    assert life(killed, *where, *limit)["code"] == 0, (killed / "log").read_text()
    log = (killed / "log").read_text()
    assert "Traceback" not in log and "error:" not in log, log

    # The same completions, the same trials in the same order, the same report.
    assert stored(killed) == wanted
    ours, theirs = trials(killed), trials(calm)
    assert [t.user_attrs[KEY] for t in ours] == [t.user_attrs[KEY] for t in theirs]
    assert [t.values for t in ours] == [t.values for t in theirs]
    assert told(killed) == told(calm)
    own = [t for t in ours if DUPLICATE_OF not in t.user_attrs]
    assert max(Counter(t.user_attrs[KEY] for t in own).values()) == 1

    # What the server generated beyond what is kept was in flight at a kill, and the account has all of it.
    booked, held = spend(killed)
    paid = generated(embedded_server) - start
    assert sum(wanted.values()) <= booked <= paid <= booked + held
    assert paid - sum(wanted.values()) <= held + LOAD * KILLS * 600
    assert FileAllowance(killed / "runs" / "s" / "spend").spent == booked + held
    assert held <= KILLS * LOAD * 600

    # MLflow has one run for every trial that was measured, and the study's.
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{killed / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("s")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert [run.data.tags["role"] for run in runs].count("study") == 1
    tracked = {int(r.data.tags["trial"]): r.data.metrics for r in runs if r.data.tags["role"] == "trial"}
    assert len(tracked) == len(runs) - 1
    measured = {t.number: t.user_attrs[METRICS]["metrics"] for t in own}
    assert sorted(tracked) == sorted(measured)
    assert all(tracked[n]["sum_total_generated"] == m["sum_total_generated"] for n, m in measured.items())


def test_a_limit_holds_over_ten_kills(life: Life, embedded_server: EmbeddedReasoner, tmp_path: Path) -> None:
    limit, start, dice = 3_000, generated(embedded_server), random.Random(1)
    arguments = ("--endpoint", embedded_server.base_url, "--spend", f"tokens={limit}")
    directory = tmp_path / "limited"
    for i in range(10):
        life(directory, *arguments, records=8 * i, then=dice.uniform(0.0, 0.6), seconds=20.0)
        assert generated(embedded_server) - start <= sum(spend(directory)) <= limit
    code = life(directory, *arguments)["code"]
    assert code in (0, REFUSED), (directory / "log").read_text()
    assert "tokens are" in (directory / "log").read_text() and "Traceback" not in (directory / "log").read_text()
    assert generated(embedded_server) - start <= sum(spend(directory)) <= limit
    assert life(directory, "--endpoint", embedded_server.base_url)["code"] == 0  # without it, to the end


def test_no_server_outlives_a_killed_command(life: Life, tmp_path: Path) -> None:
    dice = random.Random(2)
    for _ in range(4):
        parent = str(life(tmp_path / "own", seconds=dice.uniform(0.3, 9.0))["pid"])
        end = time.monotonic() + 60  # one that was killed while its server imported: the server looks when it has
        while servers_of(parent):
            assert time.monotonic() < end, servers_of(parent)
            time.sleep(0.2)


def servers_of(parent: str) -> list[int]:
    """Processes of embedded servers that were started by this process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:
            continue
        if "pdr_dspy.embedded" in words and parent in words:
            found.append(int(path.parent.name))
    return found
