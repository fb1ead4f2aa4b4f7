"""An endpoint that fails, hangs, dies and returns spoils no number: what it lost is asked again, or the search ends."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.vllm import HANG, RESET, Call, FakeVLLM, Reply, too_many, unavailable
from search_support import Command, Silent, assert_nothing_paid_twice, solve

from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.endpoint import EndpointSettings, FileAllowance

slow = pytest.mark.slow
SMALL = ("--budget", "tokens=4k", "--problems", "6", "--report-problems", "6", "--front", "2", "--study", "s")
TRIALS = 5


def settings(timeout: float) -> Callable[..., EndpointSettings]:
    """Settings of the command's endpoint that retry quickly."""

    def made(options: Any, urls: tuple[str, ...], name: str | None) -> EndpointSettings:
        return EndpointSettings(
            urls, name, load=options.most_in_flight, thinking=options.thinking, timeout=timeout, backoff=0.02
        )

    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again at once."""
    monkeypatch.setattr("optimize.inputs.model._settings", settings(60.0))


def measured() -> list[tuple[Any, ...]]:
    """What the last search's trials came to."""
    assert Silent.last is not None
    found = [(run["baseline"], run["measured"]) for run in Silent.last.runs]
    return [(name, m.accuracy, m.metrics["mean_seq_generated"], dict(m.failures)) for name, m in found]


def search(command: Command, model: FakeVLLM, data: Path, runs: str, *more: object) -> int:
    """A search of one trial at a time, weighing tokens, with its state in `runs`."""
    fixed = ("--trials", TRIALS, "--jobs", 1, "--latency", "tokens", "--runs", runs)
    return command("search", *SMALL, "--endpoint", model.url, "--data", data, *fixed, *more)


def faulty(share: float) -> Callable[[Call], Reply]:
    """So many of the requests fail in one of the ways servers have; which ones is decided by what is asked."""
    asked: Counter[str] = Counter()
    faults = (too_many(), unavailable(500), unavailable(503), HANG, RESET)

    def answer(call: Call) -> Reply:
        body = json.dumps(call.body, sort_keys=True)
        asked[body] += 1
        dice = random.Random(f"{asked[body]} {body}")
        return dice.choice(faults) if dice.random() < share else solve(call)

    return answer


@slow
def test_a_fifth_of_all_requests_failing_changes_no_number(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert search(command, model, data, "calm") == 0
    calm, front = measured(), json.loads((tmp_path / "calm" / "s" / "front.json").read_text())
    model.calls.clear()

    model.answer = faulty(0.2)
    monkeypatch.setattr("optimize.inputs.model._settings", settings(4.0))  # what hangs is given up soon
    assert search(command, model, data, "faulty") == 0
    assert measured() == calm
    stormy = json.loads((tmp_path / "faulty" / "s" / "front.json").read_text())
    for before, after in zip(front["rows"], stormy["rows"], strict=True):
        for side in ("search", "report"):
            assert (before[side] or {}).get("accuracy") == (after[side] or {}).get("accuracy")
    failed = [c for c in model.calls if not c.completion_tokens]
    assert 0.1 < len(failed) / len(model.calls) < 0.3
    # What was refused cost nothing; nobody knows what a request that hung, broke off or failed did: its cap counts.
    silent = sum(c.cap or 0 for c in failed if c.status != 429)
    generated = sum(c.completion_tokens for c in model.calls)
    spent = FileAllowance(tmp_path / "faulty" / "s" / "spend").spent
    late = sum(c.cap or 0 for c in model.calls if c.disconnected)  # on a slow machine also an answer may come too late
    assert generated < generated + silent <= spent <= generated + silent + late


@slow
@pytest.mark.parametrize("down", ["refused", "500"])
def test_an_endpoint_that_is_away_for_a_while_spoils_no_trial(
    command: Command, model: FakeVLLM, data: Path, quick: None, down: str
) -> None:
    assert search(command, model, data, "calm") == 0
    calm = measured()
    model.calls.clear()

    def slow(call: Call) -> Reply:
        return solve(call, delay=0.02)

    def outage() -> None:
        model.wait(lambda m: len(m.calls) > 25, 60)
        if down == "refused":
            model.stop()
            time.sleep(0.5)
            model.start()
        else:
            model.answer = unavailable(500)
            time.sleep(0.5)
            model.answer = slow

    model.answer = slow
    thread = threading.Thread(target=outage)
    thread.start()
    code = search(command, model, data, "away")
    thread.join()
    if code:  # it was away for longer than the retries last: the same command goes on
        assert code == REFUSED
        done = measured()
        assert search(command, model, data, "away") == 0
        assert [*done, *measured()] == calm
    else:
        assert measured() == calm
    assert_nothing_paid_twice(model, time.time())


@slow
def test_an_endpoint_that_stays_away_ends_the_search_and_no_trial_is_told_wrong(
    command: Command, model: FakeVLLM, data: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(command, model, data, "calm") == 0
    calm = measured()
    last = json.dumps(model.calls[30].body, sort_keys=True)
    gone = threading.Event()

    def answer(call: Call) -> Reply:
        if json.dumps(call.body, sort_keys=True) == last:
            gone.set()
        return unavailable(500) if gone.is_set() else solve(call)

    model.answer = answer
    assert search(command, model, data, "away") == REFUSED
    told = capsys.readouterr().err
    assert "problems failed 4 times" in told and "the same command goes on" in told and "Traceback" not in told
    done = measured()
    assert done == calm[: len(done)] and len(done) < len(calm)
    model.answer = solve
    assert search(command, model, data, "away") == 0
    assert [*done, *measured()] == calm


@pytest.mark.slow
def test_a_draft_that_the_server_lost_is_drawn_again(
    command: Command, model: FakeVLLM, data: Path, quick: None
) -> None:
    """Five failures in a row use up the retries of one draft of a vote; the vote is not held without it."""
    assert search(command, model, data, "calm") == 0
    calm = measured()
    victims = {json.dumps(c.body, sort_keys=True) for c in random.Random(1).sample(model.calls, 6)}
    model.calls.clear()
    asked: Counter[str] = Counter()

    def answer(call: Call) -> Reply:
        body = json.dumps(call.body, sort_keys=True)
        asked[body] += 1
        return unavailable(500) if body in victims and asked[body] <= 5 else solve(call)

    model.answer = answer
    assert search(command, model, data, "lossy") == 0
    assert measured() == calm
    assert_nothing_paid_twice(model, time.time())
