"""The endpoint that the environment names: what is read, and that a process shares one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes.environment import no_endpoint
from fakes.vllm import FakeVLLM

from pdr_dspy.endpoint import Endpoint, Secret, settings_from_environment, shared_endpoint
from pdr_dspy.errors import EndpointError


@pytest.fixture
def environ() -> Iterator[MutableMapping[str, str]]:
    """An environment without endpoint."""
    with no_endpoint() as values:
        yield values


@pytest.fixture
def named(environ: MutableMapping[str, str]) -> Iterator[FakeVLLM]:
    """A server that the environment names."""
    with FakeVLLM(tokenizer="words") as server:
        environ["PDR_ENDPOINT"] = server.url
        yield server


def test_what_is_said_comes_before_the_environment() -> None:
    values = {"PDR_ENDPOINT": "http://a:1, http://b:2/v1", "PDR_MODEL": " m ", "PDR_API_KEY": "environment-key"}
    found = settings_from_environment(environ=values)
    assert (found.urls, found.model) == (("http://a:1/v1", "http://b:2/v1"), "m")
    assert found.api_key.reveal() == "environment-key"
    found = settings_from_environment("http://c:3", "n", "said-key", environ=values, load=7)
    assert (found.urls, found.model, found.load) == (("http://c:3/v1",), "n", 7)
    assert found.api_key.reveal() == "said-key"
    assert not settings_from_environment("http://c:3", api_key=Secret(""), environ={}).api_key


@pytest.mark.parametrize("value", [None, "", " , "], ids=["unset", "empty", "commas"])
def test_without_an_address_the_error_says_what_to_set(value: str | None) -> None:
    values = {} if value is None else {"PDR_ENDPOINT": value}
    with pytest.raises(EndpointError, match="PDR_ENDPOINT=http://") as raised:
        settings_from_environment(environ=values)
    assert raised.value.field == "PDR_ENDPOINT"


def test_no_address_at_all_that_is_said_is_an_error_of_its_own() -> None:
    with pytest.raises(EndpointError, match="no address"):
        settings_from_environment("", environ={"PDR_ENDPOINT": "http://a:1"})


def test_all_threads_get_the_same_endpoint_and_the_server_is_asked_once(named: FakeVLLM) -> None:
    together = threading.Barrier(8)

    def asked(_: int) -> Endpoint:
        together.wait()
        return shared_endpoint()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(asked, range(8)))
    assert len({id(endpoint) for endpoint in found}) == 1
    assert found[0].answers()


def test_the_model_may_be_named_or_not(named: FakeVLLM, environ: MutableMapping[str, str]) -> None:
    by_name = shared_endpoint("fake-model")
    assert shared_endpoint() is by_name
    assert shared_endpoint() is by_name
    environ["PDR_MODEL"] = "fake-model"
    assert shared_endpoint("of-a-saved-program") is by_name
    del environ["PDR_MODEL"]
    with pytest.raises(EndpointError, match="of-a-saved-program"):
        shared_endpoint("of-a-saved-program")


def test_a_closed_one_is_opened_anew_and_another_address_is_another_one(
    named: FakeVLLM, environ: MutableMapping[str, str]
) -> None:
    first = shared_endpoint()
    first.close()
    second = shared_endpoint()
    assert second is not first and second.answers()
    with FakeVLLM(tokenizer="words") as other:
        environ["PDR_ENDPOINT"] = other.url
        assert shared_endpoint().settings.urls != second.settings.urls
    environ["PDR_ENDPOINT"] = named.url
    assert shared_endpoint() is second


def test_one_that_can_not_be_opened_is_tried_anew(environ: MutableMapping[str, str]) -> None:
    with FakeVLLM() as server:
        environ["PDR_ENDPOINT"] = server.url
        environ["PDR_MODEL"] = "not-there"
        with pytest.raises(EndpointError):
            shared_endpoint()
        environ["PDR_MODEL"] = ""
        assert shared_endpoint().identity.model == "fake-model"
