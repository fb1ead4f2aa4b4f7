"""A pipeline behind the embedded server's HTTP face, in this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

torch = pytest.importorskip("torch")

import dspy  # noqa: E402

from experiments.training.policy.serving import serving  # noqa: E402
from experiments.training.policy.torch_pipeline import TorchPipeline  # noqa: E402
from pdr_dspy.data.worksheets import Worksheet, worksheets  # noqa: E402
from pdr_dspy.embedded import EmbeddedReasoner  # noqa: E402
from pdr_dspy.embedded.chat import ChatTokenizer  # noqa: E402
from pdr_dspy.endpoint import connect  # noqa: E402
from pdr_dspy.errors import EndpointError  # noqa: E402
from pdr_dspy.modules import PDR  # noqa: E402
from pdr_dspy.workflow import Round, Summary, Workflow  # noqa: E402
from pdr_dspy.workflow import Sampling as Drawing  # noqa: E402

if TYPE_CHECKING:
    from experiments.reasoner.model import Reasoner

Messages = list[dict[str, str]]
FLOOR = 0.8  # of 12 greedy texts: two may meet a near tie


@pytest.fixture(scope="module")
def url(reasoner: Reasoner, weights: Path) -> Iterator[str]:
    with serving(TorchPipeline(reasoner, slots=16), weights, slots=16) as address:
        yield address


def chat(url: str, messages: Messages, **fields: Any) -> httpx.Response:
    body = {"messages": messages, "temperature": 0.7, "seed": 5, "max_tokens": 80, **fields}
    return httpx.post(f"{url}/chat/completions", json=body, timeout=60, trust_env=False)


def test_token_ids_and_logprobs_join_to_the_text(url: str, asked: list[Messages], weights: Path) -> None:
    tokenizer = ChatTokenizer(weights)
    answer = chat(url, asked[0], n=3, logprobs=True, return_token_ids=True, thinking_token_budget=20).json()
    assert answer["prompt_token_ids"] == tokenizer.encode(tokenizer.render(asked[0]))
    total = 0
    for choice in answer["choices"]:
        message, ids, content = choice["message"], choice["token_ids"], choice["logprobs"]["content"]
        total += len(ids)
        thinking, _, rest = tokenizer.decode(ids).removeprefix("<think>").partition("</think>")
        assert (thinking, rest) == (message["reasoning_content"], message["content"] or "")
        assert len(content) == len(ids) and all(one["logprob"] <= 0 for one in content)
        assert "".join(one["token"] for one in content) == tokenizer.decode(ids, skip_special_tokens=False)
    assert answer["usage"]["completion_tokens"] == total


def test_tokens_behind_a_stop_string_are_not_told(url: str, asked: list[Messages]) -> None:
    choice = chat(url, asked[0], stop="\n", logprobs=True, return_token_ids=True).json()["choices"][0]
    whole = chat(url, asked[0], return_token_ids=True).json()["choices"][0]["token_ids"]
    ids = choice["token_ids"]
    assert choice["finish_reason"] == "stop" and ids == whole[: len(ids)] and len(ids) < len(whole)
    assert len(choice["logprobs"]["content"]) == len(ids)


def test_neither_is_told_unasked(url: str, asked: list[Messages]) -> None:
    answer = chat(url, asked[0], max_tokens=4).json()
    assert "prompt_token_ids" not in answer and "token_ids" not in answer["choices"][0]
    assert answer["choices"][0]["logprobs"] is None


def test_unsupported_sampling_is_an_error_of_that_request(url: str, asked: list[Messages]) -> None:
    refused = chat(url, asked[0], top_p=0.9)
    assert refused.status_code == 500 and "top_p" in refused.json()["error"]["message"]
    assert chat(url, asked[0], max_tokens=4).status_code == 200


def test_thinking_is_closed_where_the_embedded_server_closes_it(
    url: str, embedded_server: EmbeddedReasoner, asked: list[Messages], measured: Any
) -> None:
    """Greedy texts, thinking cut at 24 tokens, by both."""

    def text(address: str, messages: Messages) -> tuple[str, str]:
        answer = chat(address, messages, temperature=0, thinking_token_budget=24, max_tokens=120).json()
        message = answer["choices"][0]["message"]
        return message["reasoning_content"], message["content"]

    with ThreadPoolExecutor(len(asked)) as pool:
        ours = list(pool.map(lambda messages: text(url, messages), asked))
        theirs = list(pool.map(lambda messages: text(embedded_server.base_url, messages), asked))
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    measured(f"greedy, torch pipeline and embedded server: {same} of {len(asked)} texts are identical")
    assert same >= FLOOR * len(asked)


def test_the_library_runs_on_it(url: str) -> None:
    caps = {"thinking": 96, "answer": 96}
    rounds = (Round(width=4, distill=Summary(tokens=96), **caps), Round(width=1, **caps))
    workflow = Workflow(name="pdr", rounds=rounds, sampling=Drawing(temperature=0.6))
    (problem,) = worksheets(1, lines=3, split="search", seed=8)
    with connect(url) as endpoint, dspy.context(lm=endpoint.lm):
        record = PDR(Worksheet, workflow, seed=1)(**problem.inputs).run
    assert [len(one.drafts) for one in record.rounds] == [4, 1]
    assert all(record.rounds[1].workspaces)
    assert {"draft", "distill", "refine"} <= {call.stage for call in record.records}
    assert not record.failed


class Broken(RuntimeError):
    """What a pipeline raises."""


def test_closes_when_the_caller_raises_and_leaves_no_thread(
    reasoner: Reasoner, weights: Path, asked: list[Messages]
) -> None:
    before = set(threading.enumerate())
    pipeline = TorchPipeline(reasoner, slots=2)
    with pytest.raises(Broken), serving(pipeline, weights, slots=2) as url:

        async def hang_up() -> None:
            # A request that still runs when the block is left.
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].split("/")[0]))
            writer.write(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readline()
            writer.close()

        asyncio.run(hang_up())
        assert chat(url, asked[0], max_tokens=4).status_code == 200
        raise Broken
    assert not {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("pdr-")}
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(url.split(":")[2].split("/")[0]))) != 0
    pipeline.load({name: weight for name, weight in _hf(reasoner).items()})  # nothing runs in it any more


def test_a_pipeline_that_raises_is_told(reasoner: Reasoner, weights: Path, asked: list[Messages]) -> None:
    class Failing(TorchPipeline):
        def step(self) -> None:
            raise Broken("no memory")

    with (
        pytest.raises(EndpointError, match="no memory"),
        serving(Failing(reasoner, slots=1), weights, slots=1) as url,
    ):
        answer = chat(url, asked[0])
        assert answer.status_code == 500 and "no memory" in answer.json()["error"]["message"]
        assert httpx.get(f"{url.removesuffix('/v1')}/health", trust_env=False).status_code == 503


def _hf(model: Reasoner) -> dict[str, Any]:
    from experiments.reasoner.model import to_hf

    return to_hf(model)
