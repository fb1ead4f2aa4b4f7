"""verl's own worker over the agent loop, with a server manager that samples the shipped reasoner.

What is not verl's here: Ray, the transfer queue (a dictionary) and the servers.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("verl")

from omegaconf import OmegaConf  # noqa: E402
from training.verl.policy import SampledManager, Tokens  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402
from verl.experimental.agent_loop import AgentLoopWorker, agent_loop  # noqa: E402
from verl.trainer.ppo.v1 import agent_loop_tq  # noqa: E402

from experiments.training.verl import rollouts  # noqa: E402
from experiments.training.verl.agent_loop import OperatorLoop  # noqa: E402
from experiments.training.verl.prepare import rows  # noqa: E402
from experiments.training.verl.serving import served_model  # noqa: E402
from pdr_dspy.data import load_data  # noqa: E402
from pdr_dspy.data.worksheets import worksheet_correct  # noqa: E402
from pdr_dspy.embedded.chat import ChatTokenizer  # noqa: E402
from pdr_dspy.embedded.model import read_model  # noqa: E402
from pdr_dspy.embedded.serve import WEIGHTS  # noqa: E402
from pdr_dspy.endpoint import connect  # noqa: E402
from pdr_dspy.errors import InputError  # noqa: E402

THINKING, ANSWER, WORKSPACE, DRAFTS = 40, 60, 64, 2
CLOSE = "</think>"


class Queue:
    """Takes what the worker puts into verl's transfer queue."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, Any]] = {}
        self.status: list[str] = []

    async def async_kv_put(self, *, key: str, partition_id: str, tag: dict[str, Any]) -> None:
        self.status.append(tag["status"])

    async def async_kv_batch_put(self, *, keys: list[str], fields: Any, tags: Any, partition_id: str) -> None:
        for key, row in zip(keys, fields, strict=True):
            self.fields[key] = dict(row.items())


def config(**rollout: Any) -> Any:
    return OmegaConf.create(
        {
            "pdr": {
                "drafts": DRAFTS,
                "workspace": WORKSPACE,
                **{stage: {"thinking": THINKING, "answer": ANSWER} for stage in ("trace", "draft", "refine")},
            },
            "data": {},
            "actor_rollout_ref": {
                "model": {"path": str(WEIGHTS)},
                "rollout": {"prompt_length": 900, "response_length": 200, "n": 3, "val_kwargs": {"n": 1}, **rollout},
            },
        }
    )


def worker(manager: Any, settings: Any) -> Any:
    """verl's V1 worker as its actor would be, without what its constructor loads and connects to."""
    kind = agent_loop_tq.AgentLoopWorkerTQ.__ray_metadata__.modified_class
    made = object.__new__(kind)
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    for name, value in {
        "config": settings, "rollout_config": settings.actor_rollout_ref.rollout, "llm_client": manager,
        "tokenizer": tokenizer, "processor": None, "hf_model_type": "llama", "dataset_cls": None, "tools": [],
        "distillation_enabled": False, "reward_loop_worker_handles": [], "background_tasks": set(),
    }.items():  # fmt: skip
        setattr(made, name, value)
    assert isinstance(made, AgentLoopWorker)
    return made


def prompt(mode: str, **changed: Any) -> dict[str, Any]:
    data = load_data("worksheets:lines=2,count=4,split=train")
    row = next(row for row in rows(data, "worksheets", ("trace", "operator"), passes=1, seed=0) if row["mode"] == mode)
    own = {"uid": str(uuid.uuid4()), "raw_prompt": row["prompt"], "global_steps": 1, "index": 0}
    return {**row, **own, **changed}


def drawn(monkeypatch: pytest.MonkeyPatch, prompts: list[dict[str, Any]], manager: Any, settings: Any = None) -> Queue:
    queue = Queue()
    monkeypatch.setattr(agent_loop_tq, "tq", queue)

    async def all_of_them() -> None:
        one = worker(manager, settings or config())
        params = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}
        trajectory = {"step": 1, "sample_index": 0, "rollout_n": 0, "validate": False}
        await asyncio.gather(*(one._run_prompt(dict(each), params, trajectory) for each in prompts))

    asyncio.run(all_of_them())
    return queue


@pytest.fixture(scope="module")
def manager() -> SampledManager:
    torch.set_num_threads(1)
    return SampledManager()


@pytest.fixture(scope="module")
def both(manager: SampledManager) -> tuple[list[dict[str, Any]], Queue, list[list[int]]]:
    """A prompt of each mode, three rollouts each, in one worker at once."""
    with pytest.MonkeyPatch.context() as patch:
        prompts = [prompt("operator"), prompt("trace")]
        before = len(manager.asked)
        queue = drawn(patch, prompts, manager)
        return prompts, queue, manager.asked[before:]


def _rows(queue: Queue, row: dict[str, Any]) -> list[dict[str, Any]]:
    return [queue.fields[f"{row['uid']}_{session}_0"] for session in range(3)]


def test_every_session_of_both_modes_becomes_one_row(both: Any) -> None:
    prompts, queue, _ = both
    assert queue.status.count("finished") == 2 and "failure" not in queue.status
    assert len(queue.fields) == 6
    assert not OperatorLoop._groups, "no group is left behind"
    for row in prompts:
        completions = [tuple(each["responses"].tolist()) for each in _rows(queue, row)]
        assert len(set(completions)) > 1, "each session has a rollout of its own"


def test_the_sessions_of_an_operator_prompt_share_one_workspace(both: Any) -> None:
    (operator, trace), queue, _ = both
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    refined, plain = _rows(queue, operator), _rows(queue, trace)
    for group in (refined, plain):
        assert all(torch.equal(each["prompts"], group[0]["prompts"]) for each in group)
    read, asked = tokenizer.decode(refined[0]["prompts"]), tokenizer.decode(plain[0]["prompts"])
    assert "workspace" in read and "workspace" not in asked
    for text, row in ((read, operator), (asked, trace)):
        assert json.loads(row["inputs"])["problem"] in text


def test_drafts_and_workspace_are_made_once_for_a_group(both: Any) -> None:
    (operator, trace), queue, asked = both
    # What follows a closed thinking begins with what the call was asked, so those that extend no other are the calls.
    calls = [ids for ids in asked if not any(len(ids) > len(other) and ids[: len(other)] == other for other in asked)]
    refined, plain = (_rows(queue, row)[0]["prompts"].tolist() for row in (operator, trace))
    assert calls.count(refined) == calls.count(plain) == 3
    others = [ids for ids in calls if ids not in (refined, plain)]
    assert sorted(others.count(ids) for ids in others) == [1, 2, 2], "a distill call, and two drafts of one prompt"


def test_the_mask_leaves_out_what_was_forced_and_the_log_probs_are_the_models(
    both: Any, manager: SampledManager
) -> None:
    prompts, queue, _ = both
    close = AutoTokenizer.from_pretrained(WEIGHTS).convert_tokens_to_ids(CLOSE)
    forced = 0
    for row in [each for one in prompts for each in _rows(queue, one)]:
        mask, tokens, said = row["response_mask"], row["responses"], row["rollout_log_probs"]
        assert torch.equal(row["loss_mask"], mask)
        assert mask.shape == tokens.shape == said.shape
        assert all(token == close for token in tokens[mask == 0])
        forced += int((mask == 0).sum())
        assert int((mask == 0).sum()) <= 1
        with torch.inference_mode():
            logits = manager.model(row["input_ids"][None]).logits[0]
        own = torch.log_softmax(logits, -1)[:-1].gather(1, row["input_ids"][1:, None])[:, 0][-len(tokens) :]
        assert torch.allclose(own[mask == 1], said[mask == 1], atol=2e-3)
    assert forced, "with so short a cap some thinking is closed"


def test_the_reward_is_the_graders_and_its_place_the_mode(both: Any) -> None:
    prompts, queue, _ = both
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    for row, place in zip(prompts, (0, -1), strict=True):
        for each in _rows(queue, row):
            scores = each["rm_scores"]
            assert int((scores != 0).sum()) == 1 and abs(float(scores[place])) == 1
            text = tokenizer.decode(each["responses"], skip_special_tokens=True)
            answer = text.rpartition("[[ ## answer ## ]]")[2].partition("[[ ##")[0].strip()
            right = worksheet_correct(json.loads(row["inputs"])["problem"], answer)
            assert float(scores.sum()) == (1 if right else -1)
            assert each["extra_fields"].data["min_global_steps"] == 7


def test_the_served_tokenizer_is_the_models_own() -> None:
    served = served_model(AutoTokenizer.from_pretrained(WEIGHTS), str(WEIGHTS), context=900, end_ids=frozenset({4}))
    own = ChatTokenizer(WEIGHTS)
    messages = [{"role": "system", "content": "Solve each line."}, {"role": "user", "content": "A: 3 4 7 make 28"}]
    text = own.render(messages)
    assert served.tokenizer.render(messages) == text
    assert served.tokenizer.encode(text) == own.encode(text)
    assert served.tokenizer.think_tokens == own.think_tokens
    assert served.files.card == read_model(WEIGHTS).card


def test_a_group_without_a_server_is_a_failure_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        async def generate(self, *_: Any, **__: Any) -> Tokens:
            raise ConnectionError("no server")

    monkeypatch.setattr(rollouts, "connect", partial(connect, retries=0))
    queue = drawn(monkeypatch, [prompt("trace")], Down())
    assert queue.status == ["running", "failure"] and not queue.fields
    assert not OperatorLoop._groups


@pytest.mark.parametrize(
    ("changed", "params", "said"),
    [
        ({"mode": "both"}, {}, "no mode"),
        ({}, {"top_k": 20}, "top_k"),
        ({"uid": "7"}, {}, "UUID"),
        ({"session_id": None}, {}, "V1 trainer"),
    ],
)
def test_what_cannot_be_run_is_refused(changed: dict[str, Any], params: dict[str, Any], said: str) -> None:
    row = {name: value for name, value in {**prompt("trace"), "session_id": 0, **changed}.items() if value is not None}

    async def one() -> None:
        settings = config()
        loop = OperatorLoop(
            agent_loop.DictConfigWrap(settings), None, AutoTokenizer.from_pretrained(WEIGHTS), None, None,
            agent_loop.DictConfigWrap(settings.data),
        )  # fmt: skip
        await loop.run({"temperature": 1.0, "top_p": 1.0, "top_k": -1, **params}, **row)

    with pytest.raises(InputError, match=said):
        asyncio.run(one())
