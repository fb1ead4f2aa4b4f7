"""Whatever is asked, the server answers: 200, or an error of that one request which names the field; never a 500.

The requests are made from the schema itself: every field takes values at and beyond the ends of its range and of other
types. A hundred in the default tests, always the same; three hundred with `-m slow`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdr_dspy.embedded import EmbeddedReasoner
from pdr_dspy.embedded.protocol import ChatRequest, Detokenize, TokenizeText

pytestmark = pytest.mark.embedded

CHAT = "/v1/chat/completions"
GOOD: dict[str, Any] = {"messages": [{"role": "user", "content": "A: make 41 from 13, 7, 4"}], "max_tokens": 2}
REFUSED = {400, 404}
Fields = Mapping[str, Any]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**32, 2**63, 2**64, 2**70, -(2**31), -(2**63) - 1, 10**4000]),
    st.floats(),
    st.sampled_from([1e-320, 1e-40, 1e39, 1e308]),
    st.text(st.characters(), max_size=8),  # NUL and lone surrogates, too
    st.sampled_from(["", "\0", "\ud800", "a" * 5000, "<think>", "{{ 7 * 7 }}"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)
deep = st.sampled_from([3, 150, 300]).map(lambda depth: json.loads("[" * depth + "]" * depth))


def ends(kind: type, field: str) -> list[Any]:
    """The ends of a number's range, and what is just beyond them."""
    found: list[Any] = []
    for constraint in kind.model_fields[field].metadata:  # type: ignore[attr-defined]
        for name, step in (("ge", -1), ("le", 1)):
            if (end := getattr(constraint, name, None)) is not None:
                # As many choices as there may be would take half a second each time.
                found += [end + step] if (field, name) == ("n", "le") else [end, end + step]
    return found


def value_of(kind: type, field: str) -> st.SearchStrategy[Any]:
    """Values for a field, most of them wrong."""
    special = {
        "messages": st.lists(
            st.fixed_dictionaries({}, optional={"role": scalars, "content": anything, "name": scalars}), max_size=3
        ),
        "stop": st.lists(scalars, max_size=4),
        "stop_token_ids": st.lists(st.integers(-1, 2**31), max_size=4),
        "tokens": st.lists(st.integers(-1, 2**33), max_size=6),
        "chat_template_kwargs": st.dictionaries(
            st.sampled_from(["self", "text", "messages", "bos_token", "raise_exception", "add_generation_prompt"]),
            anything,
            max_size=3,
        ),
        "stream_options": st.dictionaries(st.sampled_from(["include_usage", "other"]), scalars, max_size=2),
    }.get(field)
    wrong = anything | deep
    if special is not None:
        return special | wrong
    return st.sampled_from(found) | wrong if (found := ends(kind, field)) else wrong


def requests(kind: type, good: Fields, more: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """A good request with one to three fields replaced."""
    names = [*kind.model_fields, *more]  # type: ignore[attr-defined]

    @st.composite
    def draw_one(draw: st.DrawFn) -> dict[str, Any]:
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        return {**good, **{name: draw(anything if name in more else value_of(kind, name)) for name in chosen}}

    return draw_one()


chats = requests(ChatRequest, GOOD, ("logit_bias", "tools", "prompt", "guided_json", "user"))
texts = requests(TokenizeText, {"prompt": "13 + 7"}) | requests(Detokenize, {"tokens": [5, 6]})
raw = st.one_of(
    st.binary(max_size=40),
    chats.map(lambda body: json.dumps(body).encode()[:-1]),
    chats.map(lambda body: json.dumps(body).replace("2", "1e400").encode()),
    st.sampled_from([b"", b"null", b"[]", b"[" * 100_000, b'{"a":' * 500 + b"1" + b"}" * 500, b"\xff\xfe{\0}\0"]),
)


@pytest.fixture(scope="module")
def http(server: EmbeddedReasoner) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url.removesuffix("/v1"), trust_env=False, timeout=120) as opened:
        yield opened


def check(http: httpx.Client, path: str, data: bytes) -> None:
    """Send it; the answer is one that a client can read."""
    answer = http.post(path, content=data, headers={"Content-Type": "application/json"})
    shown = f"{path} {data[:300]!r} -> {answer.status_code} {answer.text[:300]}"
    if answer.status_code == 200:
        assert '"error"' not in answer.text.partition('"choices"')[0], shown
    else:
        assert answer.status_code in REFUSED, shown
        error = answer.json()["error"]
        assert error["code"] == answer.status_code and error["type"] and len(error["message"]) < 1000, shown
        if (field := error["param"]) not in (None, "input_tokens"):
            assert field in error["message"], shown


def check_alive(http: httpx.Client) -> None:
    """It is well, nothing still runs, and a plain request is answered."""
    assert http.get("/health").status_code == 200
    assert http.post(CHAT, json=GOOD).json()["usage"]["completion_tokens"] == 2


def body_of(request: Fields) -> bytes:
    return json.dumps(request).encode()


fuzz = settings(derandomize=True, database=None, max_examples=40)
long_fuzz = settings(fuzz, max_examples=300)


@fuzz
@given(request=chats)
def test_a_chat_request_is_answered_or_refused(http: httpx.Client, request: Fields) -> None:
    check(http, CHAT, body_of(request))
    check_alive(http)


@fuzz
@given(request=texts)
def test_a_tokenizer_request_is_answered_or_refused(http: httpx.Client, request: Fields) -> None:
    check(http, "/detokenize" if "tokens" in request else "/tokenize", body_of(request))
    check(http, "/tokenize", body_of(request))


@fuzz
@given(data=raw)
def test_bytes_are_answered_or_refused(http: httpx.Client, data: bytes) -> None:
    check(http, CHAT, data)
    check_alive(http)


@pytest.mark.slow
@long_fuzz
@given(request=chats)
def test_many_chat_requests(http: httpx.Client, request: Fields) -> None:
    check(http, CHAT, body_of(request))
    check_alive(http)


@pytest.mark.slow
@long_fuzz
@given(request=texts, data=raw)
def test_many_other_requests(http: httpx.Client, request: Fields, data: bytes) -> None:
    for path in ("/tokenize", "/detokenize"):
        check(http, path, body_of(request))
        check(http, path, data)
    check(http, CHAT, data)
    check_alive(http)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("top_k", 2**70, "from -1 to 2147483647"),
        ("top_k", True, "valid integer"),
        ("temperature", 1e308, "from 0 to 100"),
        ("temperature", "1", "valid number"),
        ("top_p", 1e-320, "from 1e-30 to 1"),
        ("repetition_penalty", 1e-300, "from 0.001 to 1000.0"),
        ("seed", 2**63, "to 9223372036854775807"),
        ("n", 1025, "from 1 to 1024"),
        ("max_tokens", 2**70, "from 1 to 2147483647"),
        ("thinking_token_budget", 2**70, "from -1 to 2147483647"),
        ("stop_token_ids", [2**70], "less than or equal to 2147483647"),
        ("stop_token_ids", [-1], "greater than or equal to 0"),
        ("stop", ["a"] * 65, "at most 64"),
        ("stop", "a" * 1025, "at most 1024"),
        ("messages", [{"role": "user", "content": [1]}], "part 0"),
        ("messages", [{"role": "user", "content": 5}], "text parts"),
        ("allowed_token_ids", [1], "does not support"),
    ],
)
def test_the_field_and_what_it_may_be_are_named(http: httpx.Client, field: str, value: Any, said: str) -> None:
    answer = http.post(CHAT, json={**GOOD, field: value})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["param"] == field and error["message"].startswith(field) and said in error["message"], error
    check_alive(http)


def test_whole_numbers_may_have_a_point(http: httpx.Client) -> None:
    answer = http.post(CHAT, json={**GOOD, "max_tokens": 2.0, "n": 1.0, "seed": 3.0})
    assert answer.json()["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize("tokens", [[10**6], [2**31 - 1], [5, -1], [2**40]])
def test_token_ids_out_of_the_vocabulary_are_refused(http: httpx.Client, tokens: list[int]) -> None:
    answer = http.post("/detokenize", json={"tokens": tokens})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "tokens"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", CHAT, 405), ("DELETE", "/v1/models", 405), ("POST", "/%2e%2e/etc", 404)],
)
def test_unknown_routes_and_methods(http: httpx.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path, headers={"Content-Type": "application/json"})
    assert answer.status_code == answer.json()["error"]["code"] == status
