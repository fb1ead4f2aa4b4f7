"""The served model's tokens: counted and cut, over HTTP, from a checkpoint, or as bytes with a warning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fakes.vllm import FakeVLLM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pdr_dspy.endpoint.server_tokens import PROBE, ServerEncoder
from pdr_dspy.endpoint.tokenizer import LocalEncoder, ModelTokenizer
from pdr_dspy.errors import ServerFailure
from pdr_dspy.workspace import ByteTokenizer

from .support import open_endpoint

TEXTS = st.text(alphabet=st.sampled_from("ab c\n\té🙂数1 the"), max_size=60)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE tokenizer with a few merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(["the cab is abc abc the the bab 数学 数学"], trainer)
    directory = tmp_path_factory.mktemp("checkpoint")
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, tokens=st.integers(0, 70))
def test_a_cut_is_a_prefix_within_its_tokens(checkpoint: Path, text: str, tokens: int) -> None:
    tokenizer = ModelTokenizer(LocalEncoder(checkpoint / "tokenizer.json"))
    cut = tokenizer.cut(text, tokens)
    assert text.startswith(cut)
    assert tokenizer.count(cut) <= tokens
    assert tokenizer.count(text) <= len(text.encode())
    if tokenizer.count(text) <= tokens:
        assert cut == text
    elif tokens >= 4:  # a character has at most four tokens: something fits
        assert cut


@pytest.mark.parametrize("kind", ["words", "bytes"])
@pytest.mark.parametrize(
    ("text", "tokens"), [("a bb ccc  dddd", 2), ("é🙂数", 3), ("é🙂数", 1), ("x", 0), ("", 5), ("a b", 9)]
)
def test_over_http(start_fake: Callable[..., FakeVLLM], kind: str, text: str, tokens: int) -> None:
    server = start_fake(tokenizer=kind)
    with open_endpoint(server) as endpoint:
        assert endpoint.tokenizer.count(text) == server.count(text)
        cut = endpoint.tokenizer.cut(text, tokens)
    assert text.startswith(cut)
    assert server.count(cut) <= tokens
    if kind == "bytes":
        assert cut == ByteTokenizer().cut(text, tokens)


def test_the_same_text_is_asked_about_once(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        before = len(fake_vllm.other_requests)
        for _ in range(5):
            endpoint.tokenizer.count("a text")
        assert len(fake_vllm.other_requests) == before + 1


def test_a_checkpoint_at_hand_is_used_where_it_agrees(start_fake: Callable[..., FakeVLLM], checkpoint: Path) -> None:
    server = start_fake(root=str(checkpoint), tokenizer=None)
    with open_endpoint(server) as endpoint:
        assert endpoint.tokenizer.count("the") == 1
        assert not endpoint.stats.warnings
    server = start_fake(root=str(checkpoint), tokenizer="words")
    with open_endpoint(server) as endpoint:
        assert endpoint.tokenizer.count("the cab is") == 3
        assert any("otherwise than the server" in w for w in endpoint.stats.warnings)


def test_bytes_are_the_last_resort_and_said_so(start_fake: Callable[..., FakeVLLM]) -> None:
    with open_endpoint(start_fake(tokenizer=None)) as endpoint:
        assert isinstance(endpoint.tokenizer, ByteTokenizer)
        assert any("bytes" in w for w in endpoint.stats.warnings)


def test_a_tokenizer_that_goes_away_is_a_typed_failure(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        fake_vllm.tokenizer = None
        with pytest.raises(ServerFailure, match="tokenize"):
            endpoint.tokenizer.count("never seen")


class Hanging:
    """Servers at addresses, of which some never answer /tokenize, and a clock that they move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        if request.url.host in self.silent:
            self.now += 30.0
            raise httpx.ReadTimeout("", request=request)
        body = json.loads(request.content)
        if request.url.path == "/detokenize":
            return httpx.Response(200, json={"prompt": bytes(body["tokens"]).decode()})
        text = body.get("prompt") or body["messages"][0]["content"]
        return httpx.Response(200, json={"tokens": list(text.encode()), "count": len(text.encode())})

    def encoder(self, *hosts: str) -> ServerEncoder:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return ServerEncoder(http, [f"http://{host}/v1" for host in hosts], "m", clock=lambda: self.now)


def test_a_tokenizer_that_never_answers_is_waited_for_once_when_an_endpoint_opens() -> None:
    servers = Hanging()
    servers.silent = {"a"}
    encoder = servers.encoder("a")
    with pytest.raises(ServerFailure, match="ReadTimeout"):
        encoder.find()
    assert encoder.context() is None
    assert (servers.asked, servers.now) == (["a"], 30.0)


def test_the_other_replica_is_asked_while_one_is_silent() -> None:
    servers = Hanging()
    servers.silent = {"a"}
    encoder = servers.encoder("a", "b")
    assert len(encoder.find()) == len(PROBE.encode())
    for _ in range(100):
        encoder.encode("x")
    assert servers.asked.count("a") == 2 and servers.now == 60.0


def test_a_tokenizer_that_falls_silent_is_left_alone_longer_and_longer_until_it_answers() -> None:
    servers = Hanging()
    encoder = servers.encoder("a")
    encoder.find()
    begun, first = servers.now, len(servers.asked)
    servers.silent = {"a"}
    for _ in range(3600):  # a question a second
        with pytest.raises(ServerFailure):
            encoder.encode("x")
        servers.now += 1.0
    assert len(servers.asked) - first < 15  # each costs 30 seconds
    assert servers.now - begun < 3600 + 15 * 30
    servers.silent = set()
    servers.now += 600.0
    assert encoder.encode("x") == [120] and encoder.encode("y") == [121]
    servers.silent = {"a"}
    before = len(servers.asked)
    for _ in range(2):  # once may be a full server's affair
        with pytest.raises(ServerFailure, match="ReadTimeout"):
            encoder.encode("x")
    with pytest.raises(ServerFailure, match="left alone"):
        encoder.encode("x")
    assert len(servers.asked) == before + 2
