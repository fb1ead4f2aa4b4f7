"""An endpoint that can't be used is found out before a token is spent, and the error says what to do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from fakes.vllm import HTML, MALFORMED, FakeVLLM, Reply

from pdr_dspy.endpoint import EndpointSettings, Secret, connect
from pdr_dspy.endpoint.settings import key_from_environment
from pdr_dspy.errors import EndpointError

from .support import KEY, open_endpoint


def test_what_is_served_is_found_out(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        assert (endpoint.identity.model, endpoint.context, endpoint.load) == ("fake-model", 4096, 32)
        assert endpoint.lm.model == "hosted_vllm/fake-model"
        assert not fake_vllm.calls


@pytest.mark.parametrize(
    ("options", "settings", "field", "words"),
    [
        ({"models_reply": HTML}, {}, "endpoint", "text/html"),
        ({"models_reply": MALFORMED}, {}, "endpoint", "OpenAI-style"),
        ({"models_reply": Reply(raw='{"data": [{}]}')}, {}, "endpoint", "OpenAI-style"),
        ({"models_reply": Reply(raw='{"data": []}')}, {}, "model", "no model"),
        ({"models_reply": Reply(status=404, message="x")}, {}, "endpoint", "404"),
        ({"models_reply": Reply(status=503, message="x")}, {}, "endpoint", "503"),
        ({"models_reply": Reply(status=403, message="x")}, {}, "api key", "required"),
        ({"api_key": "other"}, {}, "api key", "required"),
        ({"api_key": "other"}, {"api_key": KEY}, "api key", "refused"),
        ({}, {"model": "llama"}, "model", "fake-model"),
        ({"models_reply": Reply(raw='{"data": [{"id": "one"}, {"id": "two"}]}')}, {}, "model", "one, two"),
    ],
)
def test_what_can_not_be_used(
    start_fake: Callable[..., FakeVLLM], options: dict[str, Any], settings: dict[str, Any], field: str, words: str
) -> None:
    server = start_fake(**options)
    with pytest.raises(EndpointError) as caught:
        open_endpoint(server, **settings)
    assert caught.value.field == field
    assert words in str(caught.value)
    assert caught.value.mend
    assert KEY not in repr(caught.getrepr())


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(EndpointError, match="unreachable") as caught:
        connect(url, api_key="")
    assert caught.value.field == "endpoint"


def test_replicas_must_serve_one_model(start_fake: Callable[..., FakeVLLM]) -> None:
    with pytest.raises(EndpointError, match="different models"):
        open_endpoint(start_fake(root="a"), start_fake(root="b"))


def test_the_shortest_context_of_the_replicas_counts(start_fake: Callable[..., FakeVLLM]) -> None:
    with open_endpoint(start_fake(context=100), start_fake(context=50)) as endpoint:
        assert endpoint.context == 50


def test_a_context_the_list_of_models_lacks_is_asked_for_elsewhere_or_warned_about(
    start_fake: Callable[..., FakeVLLM],
) -> None:
    server = start_fake(context=77)
    server.states_context = False
    with open_endpoint(server) as endpoint:
        assert endpoint.context == 77
    server.tokenizer = None
    with open_endpoint(server) as endpoint:
        assert endpoint.context is None
        assert any("context" in w for w in endpoint.stats.warnings)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"urls": ()}, "endpoint"),
        ({"urls": ("localhost:8000",)}, "endpoint"),
        ({"urls": ("http://",)}, "endpoint"),
        ({"urls": ("http://h:port",)}, "endpoint"),
        ({"urls": ("ftp://h",)}, "endpoint"),
        ({"urls": ("http://h", "http://h/v1/")}, "endpoint"),
        ({"urls": ("http://h?x=1",)}, "endpoint"),
        ({"urls": (f"http://me:{KEY}@h",)}, "endpoint"),
        ({"load": 0}, "load"),
        ({"load": 501}, "load"),
        ({"timeout": 0.0}, "timeout"),
        ({"retries": -1}, "retries"),
        ({"thinking": "maybe"}, "thinking"),
    ],
)
def test_impossible_settings_name_their_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(EndpointError) as caught:
        EndpointSettings(**{"urls": ("http://h",), **values})
    assert caught.value.field == field
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://h:8000", "http://h:8000/v1"),
        ("http://h:8000/", "http://h:8000/v1"),
        ("http://h:8000/v1/", "http://h:8000/v1"),
        ("https://h/some/path/v1/chat/completions", "https://h/some/path/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_addresses_are_brought_into_one_form(given: str, base: str) -> None:
    assert EndpointSettings((given,)).urls == (base,)


def test_the_key_comes_from_the_environment_in_order() -> None:
    both = {"OPENAI_API_KEY": "b", "HOSTED_VLLM_API_KEY": "c"}
    assert key_from_environment(both).reveal() == "b"
    assert key_from_environment({**both, "PDR_API_KEY": "a"}).reveal() == "a"
    assert not key_from_environment({})


def test_connect_takes_several_addresses_in_one_text(start_fake: Callable[..., FakeVLLM]) -> None:
    one, two = start_fake(), start_fake()
    with connect(f"{one.url}, {two.url}", api_key=Secret("x"), load=2) as endpoint:
        assert endpoint.settings.urls == (one.url, two.url)
