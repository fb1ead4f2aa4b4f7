"""The server as a client sees it, with whatever weights there are: real requests to a real engine."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any

import httpx
import pytest

from pdr_dspy.embedded import EmbeddedReasoner

pytestmark = pytest.mark.embedded

CHAT = "/v1/chat/completions"
Body = dict[str, Any]


@pytest.fixture
def body(server: EmbeddedReasoner) -> Body:
    return {
        "model": server.model,
        "messages": [{"role": "user", "content": "Reach 41 from 13, 7 and 4."}],
        "max_tokens": 24,
        "temperature": 1.0,
        "seed": 11,
        "ignore_eos": True,  # the tests must hold for a model that ends at once, too
    }


@pytest.fixture
def post(client: httpx.Client) -> Callable[[Body], Body]:
    def send(body: Body) -> Body:
        response = client.post(CHAT, json=body)
        assert response.status_code == 200, response.text
        answer: Body = response.json()
        return answer

    return send


Post = Callable[[Body], Body]


def texts(answer: Body) -> list[tuple[str, str]]:
    """Each choice's thinking and answer."""
    messages = [choice["message"] for choice in answer["choices"]]
    return [(m["reasoning_content"] or "", m["content"] or "") for m in messages]


def counters(client: httpx.Client) -> dict[str, float]:
    """Every sample of /metrics, by name and labels other than the model's."""
    samples = {}
    for line in client.get("/metrics").text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            samples[re.sub(r'engine="0",model_name="[^"]*",?', "", name).replace("{}", "")] = float(value)
    return samples


def test_wire_format(server: EmbeddedReasoner, post: Post, body: Body) -> None:
    answer = post(body)
    assert answer["object"] == "chat.completion" and answer["model"] == server.model
    assert answer["id"].startswith("chatcmpl-")
    (choice,) = answer["choices"]
    assert choice["index"] == 0 and choice["finish_reason"] == "length"
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["reasoning"] == choice["message"]["reasoning_content"]
    usage = answer["usage"]
    assert usage["completion_tokens"] == 24
    assert usage["total_tokens"] == usage["prompt_tokens"] + 24


def test_models_health_version(client: httpx.Client, server: EmbeddedReasoner) -> None:
    (card,) = client.get("/v1/models").json()["data"]
    assert card["id"] == server.model and card["max_model_len"] > 0
    assert re.fullmatch(r"sha256:[0-9a-f]{32}", card["root"])
    assert client.get("/health").status_code == 200
    assert client.get("/version").json()["version"]


def test_tokenize_equals_usage_and_detokenize_goes_back(client: httpx.Client, post: Post, body: Body) -> None:
    tokenized = client.post("/tokenize", json={"model": body["model"], "messages": body["messages"]}).json()
    assert tokenized["count"] == len(tokenized["tokens"]) == post(body)["usage"]["prompt_tokens"]
    text = "13 + 7 = 20, then 4"
    plain = client.post("/tokenize", json={"prompt": text, "add_special_tokens": False}).json()
    assert client.post("/detokenize", json={"tokens": plain["tokens"]}).json()["prompt"] == text


def test_choice_is_the_seed_plus_its_index(post: Post, body: Body) -> None:
    together = texts(post({**body, "n": 4, "temperature": 1.3}))
    alone = [texts(post({**body, "seed": 11 + i, "temperature": 1.3}))[0] for i in range(4)]
    assert together == alone
    assert len(set(together)) > 1


def test_seeds_alone_and_in_a_batch(post: Post, body: Body) -> None:
    bodies = [{**body, "seed": seed, "max_tokens": 8 + seed} for seed in range(12)]
    alone = [texts(post(b)) for b in bodies]
    noise = [{**body, "seed": 900 + i, "messages": [{"role": "user", "content": f"other {i}"}]} for i in range(20)]
    with ThreadPoolExecutor(32) as pool:
        batch = list(pool.map(post, [*bodies, *noise]))
    same = sum(texts(answer) == lonely for answer, lonely in zip(batch, alone, strict=False))
    # Float sums depend on the batch's shape: about one draw in 50,000 falls on the edge between two tokens and flips.
    assert same >= 11, f"{same} of 12"


def test_greedy_needs_no_seed(post: Post, body: Body) -> None:
    greedy = {key: value for key, value in body.items() if key != "seed"} | {"temperature": 0}
    assert texts(post(greedy)) == texts(post(greedy))


def test_sampling_filters_reach_the_engine(post: Post, body: Body) -> None:
    greedy = texts(post({**body, "temperature": 0}))
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}):
        assert texts(post({**body, **narrow})) == greedy, narrow


def test_what_a_request_does_not_name_is_the_models_own(post: Post, body: Body) -> None:
    """As vLLM: the model's generation_config.json decides."""
    unnamed = {key: value for key, value in body.items() if key != "temperature"} | {"max_tokens": 100}
    config = json.loads((resources.files("pdr_dspy.embedded") / "weights" / "generation_config.json").read_text())
    assert config["temperature"] == 0.6
    asked = [{**unnamed, "seed": seed} for seed in range(6)]
    own = [texts(post(request)) for request in asked]
    named = [texts(post({**request, "temperature": 0.6, "top_p": config["top_p"]})) for request in asked]
    assert own == named
    assert own != [texts(post({**request, "temperature": 1.3})) for request in asked]


def test_stop_string(post: Post, body: Body) -> None:
    plain = post({**body, "temperature": 0, "max_tokens": 60})
    reasoning, content = texts(plain)[0]
    first = reasoning or content
    stop = first[len(first) // 2 :][:3]
    stopped = post({**body, "temperature": 0, "max_tokens": 60, "stop": ["@@no such@@", stop]})
    shown = texts(stopped)[0]
    assert (shown[0] if reasoning else shown[1]) == first.split(stop)[0]
    (choice,) = stopped["choices"]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", stop)
    assert stopped["usage"]["completion_tokens"] < 60


def test_stop_token_is_counted_and_not_shown(post: Post, body: Body) -> None:
    answer = post({**body, "stop_token_ids": list(range(4096))})
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "stop" and isinstance(choice["stop_reason"], int)
    assert answer["usage"]["completion_tokens"] == 1
    assert texts(answer) == [("", "")]


@pytest.mark.parametrize("change", [{}, {"n": 3}, {"stop": ["e", "1"]}, {"top_p": 0.9}, {"thinking_token_budget": 4}])
def test_streaming_equals_non_streaming(client: httpx.Client, post: Post, body: Body, change: Body) -> None:
    whole = post({**body, **change})
    streamed = [("", "")] * len(whole["choices"])
    finish = [""] * len(streamed)
    usage = None
    options = {"stream": True, "stream_options": {"include_usage": True}}
    with client.stream("POST", CHAT, json={**body, **change, **options}) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    for chunk in map(json.loads, lines):
        assert chunk["object"] == "chat.completion.chunk"
        usage = chunk["usage"]
        for choice in chunk["choices"]:
            i, delta = choice["index"], choice["delta"]
            reasoning, content = streamed[i]
            streamed[i] = (reasoning + delta.get("reasoning_content", ""), content + delta.get("content", ""))
            finish[i] = choice["finish_reason"] or finish[i]
    assert streamed == texts(whole)
    assert finish == [choice["finish_reason"] for choice in whole["choices"]]
    assert usage == whole["usage"]


def test_thinking_budget_closes_the_thinking(post: Post, body: Body) -> None:
    opened = {
        **body,
        "messages": [*body["messages"], {"role": "assistant", "content": "<think>"}],
        "add_generation_prompt": False,
        "continue_final_message": True,
    }
    for budget in (0, 5):
        answer = post({**opened, "thinking_token_budget": budget, "n": 3})
        usage = answer["usage"]
        assert usage["completion_tokens"] == 3 * 24
        assert usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0) <= 3 * budget
        assert all(content for _, content in texts(answer)), "after the thinking the answer has the rest"
        assert texts(post({**opened, "thinking_token_budget": budget, "seed": 12}))[0] == texts(answer)[1]
    unlimited = post({**opened, "thinking_token_budget": 24})
    assert texts(unlimited) == texts(post(opened)), "a budget that is not reached changes nothing"


def test_context_overflow(client: httpx.Client, body: Body) -> None:
    context = client.get("/v1/models").json()["data"][0]["max_model_len"]
    response = client.post(CHAT, json={**body, "max_tokens": context})
    assert response.status_code == 400
    error = response.json()["error"]
    assert f"This model's maximum context length is {context} tokens. However, you requested" in error["message"]
    long = {**body, "messages": [{"role": "user", "content": "7 " * context}]}
    assert client.post(CHAT, json=long).status_code == 400


def test_max_tokens_defaults_to_the_rest_of_the_context(client: httpx.Client, post: Post, body: Body) -> None:
    context = client.get("/v1/models").json()["data"][0]["max_model_len"]
    asked = {key: value for key, value in body.items() if key != "max_tokens"}
    answer = post(asked)
    assert (answer["usage"]["total_tokens"], answer["choices"][0]["finish_reason"]) == (context, "length")
    unused = {**asked, "stop_token_ids": [2**31 - 1]}
    assert texts(post(unused)) == texts(answer), "other stop tokens don't bring back the end token"


def test_unknown_model_and_bad_body(client: httpx.Client, body: Body) -> None:
    response = client.post(CHAT, json={**body, "model": "gpt-9"})
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "The model `gpt-9` does not exist."
    assert client.post(CHAT, content=b"{no", headers={"Content-Type": "application/json"}).status_code == 400
    greedy = client.post(CHAT, json={**body, "n": 2, "temperature": 0})
    assert (greedy.status_code, greedy.json()["error"]["param"]) == (400, "n")


def test_metrics_equal_the_sums_of_usage(client: httpx.Client, post: Post, body: Body) -> None:
    before = counters(client)
    changes: list[Body] = [
        {},
        {"n": 3},
        {"stop": "e"},
        {"max_tokens": 1},
        {"thinking_token_budget": 3, "n": 2},
        {"n": 70},
    ]
    with ThreadPoolExecutor(8) as pool:
        usages = [answer["usage"] for answer in pool.map(post, [{**body, **change} for change in changes])]
    client.post(CHAT, json={**body, "temperature": -1})  # refused: counts nothing
    after = counters(client)

    def grown(name: str) -> float:
        return after[name] - before[name]

    assert grown("vllm:prompt_tokens_total") == sum(usage["prompt_tokens"] for usage in usages)
    assert grown("vllm:generation_tokens_total") == sum(usage["completion_tokens"] for usage in usages)
    choices = sum(change.get("n", 1) for change in changes)
    reasons = [f'vllm:request_success_total{{finished_reason="{r}"}}' for r in ("stop", "length", "abort", "error")]
    assert sum(grown(reason) for reason in reasons) == choices
    assert grown(reasons[2]) == grown(reasons[3]) == 0
    assert grown("vllm:e2e_request_latency_seconds_count") == choices
    assert after["vllm:num_requests_running"] == after["vllm:num_requests_waiting"] == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_frees_the_engine(client: httpx.Client, body: Body, stream: bool) -> None:
    context = client.get("/v1/models").json()["data"][0]["max_model_len"]
    prompt = client.post("/tokenize", json={"messages": body["messages"]}).json()["count"]
    data = json.dumps({**body, "n": 100, "max_tokens": context - prompt, "stream": stream}).encode()
    before = counters(client)
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as raw:
        raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        raw.sendall(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        deadline = time.monotonic() + 10
        while (seen := counters(client))["vllm:num_requests_running"] == 0:
            assert time.monotonic() < deadline
        assert seen["vllm:num_requests_running"] <= 64
        assert seen["vllm:num_requests_running"] + seen["vllm:num_requests_waiting"] == 100
    deadline = time.monotonic() + 2
    # What waited is dropped in the engine's next step, if the last of the messages come after it has begun one.
    while (after := counters(client))["vllm:num_requests_running"] + after["vllm:num_requests_waiting"]:
        assert time.monotonic() < deadline, "the engine still works for a client that is gone"
    aborted = 'vllm:request_success_total{finished_reason="abort"}'
    assert after[aborted] - before[aborted] == 100


def test_token_ids_are_those_of_the_text(client: httpx.Client, body: Body, post: Post) -> None:
    answer = post({**body, "n": 2, "return_token_ids": True})
    prompt = client.post("/tokenize", json={"messages": body["messages"]}).json()["tokens"]
    assert answer["prompt_token_ids"] == prompt
    ids = [choice["token_ids"] for choice in answer["choices"]]
    assert sum(len(one) for one in ids) == answer["usage"]["completion_tokens"]
    for one, (thinking, content) in zip(ids, texts(answer), strict=True):
        whole = client.post("/detokenize", json={"tokens": one}).json()["prompt"]
        assert thinking in whole and content.split("<|")[0] in whole
    assert "token_ids" not in post(body)["choices"][0]


def test_logprobs_of_another_distribution_are_refused(client: httpx.Client, body: Body) -> None:
    refused = client.post(CHAT, json={**body, "logprobs": True})
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "logprobs"
