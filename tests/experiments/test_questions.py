"""The command from its checks to its tables, on the scripted model."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM, Reply
from support import TWO_SETS, Silent, solve

from experiments.questions.__main__ import main
from experiments.questions.report import README
from pdr_dspy.command.guarded import INTERRUPTED, REFUSED

Command = Callable[..., int]


def test_all_questions_are_answered_and_asking_again_costs_nothing(
    command: Command, model: FakeVLLM, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = README.read_bytes()
    arguments = ("all", "--config", config, "--endpoint", model.url, "--before", model.url, "--after", model.url)
    assert command(*arguments) == 0
    out = capsys.readouterr().out
    for word in (
        "pdr_3",
        "majority_3",
        "it works",
        "global summary",
        "per-sample top-2",
        "correct drafts",
        "against before, points",
    ):
        assert word in out
    folder = tmp_path / "runs" / "questions-small" / "report"
    texts = {q: (folder / f"{q}.md").read_text() for q in ("frontier", "distillers", "oracle", "training")}
    assert "| 8 |" in texts["frontier"] and "| 5 |" in texts["frontier"]  # claims on more problems than the rest
    assert {p.stem for p in folder.glob("*.png")} == {p.stem for p in folder.glob("*.html")}
    assert {p.stem for p in folder.glob("*.png")} == {"frontier-P", "distillers", "oracle", "training"}
    assert README.read_bytes() == before
    assert [(t.tags["question"], t.closed[0][0]) for t in Silent.made] == [
        (q, "FINISHED") for q in ("frontier", "distillers", "oracle", "training")
    ]
    assert sorted(Silent.made[0].trials) == list(range(8)) and sorted(Silent.made[3].trials) == list(range(6))
    assert "+0.0 [-" in texts["training"]  # one model, twice: no difference, and no certainty

    paid = len(model.calls)
    assert command(*arguments) == 0
    assert len(model.calls) == paid
    assert {q: (folder / f"{q}.md").read_text() for q in texts} == texts


def test_every_measurement_is_a_run_in_mlflow(
    model: FakeVLLM, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(["oracle", "--config", str(config), "--endpoint", model.url, "--problems", "4"]) == 0
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (experiment,) = (e for e in client.search_experiments() if e.name.startswith("questions-small-oracle-"))
    runs = client.search_runs([experiment.experiment_id])
    trials = {r.data.params["rule"]: r for r in runs if r.data.tags.get("role") == "trial"}
    assert set(trials) == {"default", "correct drafts", "incorrect drafts"} and len(runs) == 4
    assert all(r.info.status == "FINISHED" and "accuracy" in r.data.metrics for r in trials.values())


def test_the_search_split_and_the_report_split_never_meet(command: Command, model: FakeVLLM, config: Path) -> None:
    from experiments.questions.config import load_config
    from experiments.questions.frontier import jobs
    from experiments.questions.lab import Problems

    loaded = load_config(str(config))
    problems = Problems(loaded)
    sides: dict[str, set[str]] = {"search": set(), "report": set()}
    for job in jobs(loaded):
        sides[job.side] |= {p.id for p in problems.of(job).problems}
    assert sides["search"] and sides["report"] and not sides["search"] & sides["report"]


@contextmanager
def interrupted_after(model: FakeVLLM, answers: int) -> Iterator[None]:
    """Ctrl-C comes when the model has answered so often."""

    def interrupt() -> None:
        model.wait(lambda m: m.succeeded >= answers, 120)
        os.kill(os.getpid(), signal.SIGINT)

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    yield
    waiting.join()


def test_ctrl_c_keeps_what_is_done(command: Command, model: FakeVLLM, config: Path) -> None:
    model.answer = lambda call: Reply(text=solve(call), delay=0.05)
    arguments = ("frontier", "--config", config, "--endpoint", model.url, "--load", 4)

    with interrupted_after(model, 20):
        assert command(*arguments) == INTERRUPTED
    assert Silent.made[0].closed[0][0] == "KILLED"
    kept = {str(sorted(c.body.items())) for c in model.calls if c.status == 200 and not c.disconnected}
    before = len(model.calls)
    assert command(*arguments) == 0
    again = [c for c in model.calls[before:] if str(sorted(c.body.items())) in kept]
    assert len(again) <= 4  # those that were in flight


@pytest.fixture
def checkpoints(start_fake: Callable[..., FakeVLLM]) -> dict[str, FakeVLLM]:
    """Three models under names of their own."""
    return {name: start_fake(model=name, context=8192, answer=solve) for name in ("sft", "trace", "operator")}


def where(checkpoints: dict[str, FakeVLLM]) -> list[str]:
    """The options that name them."""
    places = [f"{name}={fake.url}" for name, fake in checkpoints.items()]
    return ["--before", places[0], *(text for place in places[1:] for text in ("--after", place))]


def test_several_checkpoints_are_compared_on_several_sets(
    command: Command, checkpoints: dict[str, FakeVLLM], config: Path, tmp_path: Path
) -> None:
    config.write_text(TWO_SETS.replace("DATA", str(tmp_path / "data.jsonl")), encoding="utf-8")
    two = {name: checkpoints[name] for name in ("sft", "trace")}
    assert command("training", "--config", config, *where(two)) == 0
    paid = {name: len(fake.calls) for name, fake in checkpoints.items()}
    assert paid["sft"] and paid["trace"] and not paid["operator"]

    # One more: what the store has is not asked again.
    assert command("training", "--config", config, *where(checkpoints)) == 0
    assert {name: len(checkpoints[name].calls) for name in two} == {name: paid[name] for name in two}
    assert checkpoints["operator"].calls
    text = (tmp_path / "runs" / "questions-small" / "report" / "training.md").read_text()
    p, q = text.split("**Q**")
    for name in checkpoints:
        assert f"- {name}: {name}" in p
        assert p.count(f"| {name} | ") == 3 + 1 and q.count(f"| {name} | ") == 1  # strategies, and what is compared
    tracked = Silent.made[-1]
    assert sorted(tracked.trials) == list(range(3 * 4)) and tracked.closed[0][0] == "FINISHED"
    assert {f"{name}_Q_cot_accuracy" for name in checkpoints} < set(tracked.closed[0][1]["metrics"])


def test_ctrl_c_keeps_the_checkpoints_that_are_done(
    command: Command, checkpoints: dict[str, FakeVLLM], config: Path
) -> None:
    trace = checkpoints["trace"]
    trace.answer = lambda call: Reply(text=solve(call), delay=0.05)
    arguments = ("training", "--config", config, "--load", 2, *where(checkpoints))

    with interrupted_after(trace, 5):
        assert command(*arguments) == INTERRUPTED
    assert Silent.made[0].closed[0][0] == "KILLED" and not checkpoints["operator"].calls
    done, kept = len(checkpoints["sft"].calls), {str(sorted(c.body.items())) for c in trace.calls if not c.disconnected}
    begun = len(trace.calls)
    assert command(*arguments) == 0
    assert len(checkpoints["sft"].calls) == done and checkpoints["operator"].calls
    again = [c for c in trace.calls[begun:] if str(sorted(c.body.items())) in kept]
    assert len(again) <= 2  # those that were in flight


def test_what_the_server_failed_is_asked_again(
    command: Command, model: FakeVLLM, config: Path, start_fake: Callable[..., FakeVLLM]
) -> None:
    trained = start_fake(model="trained", context=8192, answer=solve)
    arguments = ("training", "--config", config, "--before", model.url, "--after", trained.url, "--problems", 3)
    model.then(Reply(status=400, message="no"))  # the first call is a long chain's
    assert command(*arguments) == 0
    paid = len(model.calls)
    assert command(*arguments) == 0
    assert len(model.calls) == paid + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("training",), "two checkpoints"),
        (("training", "--before", "http://x/v1"), "two checkpoints"),
        (("training", "--after", "http://x/v1"), "two checkpoints"),
        (("all", "--after", "http://x/v1", "--dry-run"), "two checkpoints"),
        (("training", "--before", "a=http://x/v1", "--after", "a=http://y/v1"), "both called 'a'"),
        (("training", "--before", "http://x/v1", "--after", "http://y/v1", "--after", "http://z/v1"), "NAME=http://z"),
        (("training", "--before", "nowhere", "--after", "nowhere"), "neither an address nor a folder"),
        (("frontier", "--config", "aime24"), "for a server of yours"),
        (("frontier", "--config", "nonesuch"), "Use one of"),
        (("frontier", "--problems", "0"), "too few"),
        (("frontier", "--model", "x"), "no --endpoint"),
    ],
)
def test_what_can_not_be_asked_is_refused_before_anything_starts(
    command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert command(*arguments) == REFUSED
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_other_problems_take_the_place_of_the_first_set(
    command: Command, model: FakeVLLM, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = config.with_name("other.jsonl")
    other.write_text("".join(f'{{"q": "say {i}", "a": "{i}"}}\n' for i in range(20)), encoding="utf-8")
    model.answer = lambda call: solve_q(call.prompt)
    where = ("--data", other, "--inputs", "q", "--answer", "a", "--problems", 3)
    assert command("oracle", "--config", config, "--endpoint", model.url, *where) == 0
    assert str(other) in capsys.readouterr().out


def solve_q(prompt: str) -> str:
    """Any stage's fields at once: DSPy reads those it asked for."""
    from fakes.stages import fields

    return fields(solution="s", workspace="w", a="1")
