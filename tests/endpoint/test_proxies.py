"""Proxies as the environment names them: never to this machine, and named where one is in the way."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from fakes.vllm import FakeVLLM, Reply

from pdr_dspy.endpoint.proxies import is_local, proxies_of
from pdr_dspy.errors import EndpointError

from .support import open_endpoint, outcome

URL = "http://vllm.cluster.internal:8000/v1"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost", "LOCALHOST.", "a.localhost", "0.0.0.0"])
def test_this_machine(host: str) -> None:
    assert is_local(host)
    url = f"http://[{host}]:8000/v1" if ":" in host else f"http://{host}:8000/v1"
    assert not proxies_of([url], {"HTTP_PROXY": "http://p:1", "ALL_PROXY": "socks://p:2"})


@pytest.mark.parametrize("host", ["128.0.0.1", "10.0.0.1", "localhost.example.com", "fe80::1", "host"])
def test_other_machines(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"HTTP_PROXY": "http://p:1"}, "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://p:1", "http_proxy": "q:2"}, "http_proxy"),
        ({"HTTP_PROXY": "http://p:1", "http_proxy": ""}, None),
        ({"HTTPS_PROXY": "http://p:1"}, None),
        ({"ALL_PROXY": "p:1"}, "ALL_PROXY"),
        ({"all_proxy": "http://p:1", "NO_PROXY": "example.com,,[::1],%%,10.0.0.0/99"}, "all_proxy"),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None),
    ],
)
def test_the_variable_that_counts(environ: dict[str, str], variable: str | None) -> None:
    found = proxies_of([URL], environ)
    assert (found[URL].variable if found else None) == variable


@pytest.mark.parametrize(
    ("url", "entry", "passed_by"),
    [
        (URL, "vllm.cluster.internal", True), (URL, ".cluster.internal", True), (URL, "*.internal", True),
        (URL, "internal", True), (URL, "*", True), (URL, "a, *", True), (URL, "vllm.cluster.internal:8000", True),
        (URL, "vllm.cluster.internal:9000", False), (URL, "ternal", False), (URL, "other", False), (URL, "", False),
        (URL, "http://vllm.cluster.internal", True), (URL, "VLLM.Cluster.Internal", True),
        ("http://10.1.2.3/v1", "10.0.0.0/8", True), ("http://10.1.2.3/v1", "10.1.2.3", True),
        ("http://10.1.2.3/v1", "10.1.2.3:80", True), ("http://10.1.2.3/v1", "10.1.2.3:81", False),
        ("http://10.1.2.3/v1", "11.0.0.0/8", False), ("http://[fd00::1]:8/v1", "[fd00::1]", True),
        ("http://[fd00::1]:8/v1", "fd00::/8", True), ("http://[fd00::1]:8/v1", "[fd00::1]:8", True),
        ("http://[fd00::1]:8/v1", "[::1", False), ("http://10.1.2.3/v1", "2.3", False),
    ],
)  # fmt: skip
def test_what_no_proxy_names(url: str, entry: str, passed_by: bool) -> None:
    assert (not proxies_of([url], {"ALL_PROXY": "http://p:1", "NO_PROXY": entry})) == passed_by


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks://127.0.0.1:7891/", "socks://127.0.0.1:7891"), ("socks5h://me:secret@p:1", "socks5h://p:1"),
        ("http://", "can't be read"), ("http://p:port", "can't be read"), ("http://[::1", "can't be read"),
        ("ftp://p", "ftp://p"),
    ],
)  # fmt: skip
def test_a_proxy_that_can_not_be_used_is_an_error_that_names_it(proxy: str, words: str) -> None:
    with pytest.raises(EndpointError) as caught:
        proxies_of([URL], {"ALL_PROXY": proxy})
    assert words in caught.value.problem and "ALL_PROXY" in caught.value.problem
    assert "NO_PROXY" in caught.value.mend and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_PROXY": "http://{}"}, {"http_proxy": "http://{}"}, {"ALL_PROXY": "socks://{}/"},
        {"NO_PROXY": "127.0.0.1:8000/8,::1,[::1]"}, {"HTTP_PROXY": "not an address", "NO_PROXY": "[::1"},
    ],
)  # fmt: skip
def test_a_server_on_this_machine_is_asked_directly(
    fake_vllm: FakeVLLM, nobody: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(nobody))
    with open_endpoint(fake_vllm) as endpoint:
        assert outcome(endpoint) == ["ok"]
        assert endpoint.tokenizer.count("a b") == 2


class Away(FakeVLLM):
    """A server that only a proxy knows: it is asked for by another machine's name."""

    @property
    def url(self) -> str:
        return URL


def test_a_proxy_is_gone_through_by_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    class ProxyServer(Away):
        async def _route(self, method: str, path: str, *rest: object) -> bool:
            return await super()._route(method, path.removeprefix("http://vllm.cluster.internal:8000"), *rest)

    with ProxyServer() as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{server._port}")
        with open_endpoint(server) as endpoint:
            assert outcome(endpoint) == ["ok"]
            assert endpoint.tokenizer.count("a b") == 2
            server.answer = Reply(status=502, message="bad gateway")
        with open_endpoint(server, retries=0) as endpoint:
            said = str(outcome(endpoint))
        assert f"the proxy http://127.0.0.1:{server._port} (HTTP_PROXY)" in said and "NO_PROXY" in said
        assert "secret" not in said
        server.models_reply = Reply(status=407, message="who are you")
        with pytest.raises(EndpointError, match="HTTP_PROXY") as caught:
            open_endpoint(server)
    assert "407" in caught.value.problem and "add vllm.cluster.internal to NO_PROXY" in caught.value.mend
    assert "secret" not in str(caught.value)


def test_a_proxy_that_is_not_there_is_named(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:secret@{nobody}")
    with pytest.raises(EndpointError) as caught:
        open_endpoint(Away())
    assert f"the proxy http://{nobody} (http_proxy)" in caught.value.problem
    assert "NO_PROXY" in caught.value.mend and "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_named(
    start_fake: Callable[..., FakeVLLM], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "/nonexistent/certificates")
    with pytest.raises(EndpointError, match="does not exist") as caught:
        open_endpoint(start_fake())
    assert caught.value.field == name and "unset" in caught.value.mend
