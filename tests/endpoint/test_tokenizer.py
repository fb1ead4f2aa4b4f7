"""The served model's tokens: counted and cut, over HTTP, from a checkpoint, or as bytes with a warning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

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
