"""However a key is spelled in somebody else's text, it is not in what is shown."""

from __future__ import annotations

import base64
import html
import json
import string
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pdr_dspy.endpoint import EndpointSettings, Secret
from pdr_dspy.endpoint.settings import key_from_environment
from pdr_dspy.errors import EndpointError
from pdr_dspy.secrets.credentials import STARS

Spell = Callable[[str], str]

ESCAPES: dict[str, Spell] = {
    "repr": lambda t: repr(t)[1:-1],
    "repr of bytes": lambda t: repr(t.encode())[2:-1],
    "json": lambda t: json.dumps(t)[1:-1],
    "json of go": lambda t: json.dumps(t)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c").replace("/", "\\/"),
    "every character": lambda t: "".join(f"\\u{ord(c):04X}" for c in t),
    "percent": lambda t: urllib.parse.quote(t, safe=""),
    "percent, lower case": lambda t: "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in t),
    "form": urllib.parse.quote_plus,
    "html": html.escape,
    "html numbers": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "as it is": str,
}
WHOLE: dict[str, Spell] = {
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "base64 for addresses": lambda t: base64.urlsafe_b64encode(t.encode()).decode(),
    "wrapped base64": lambda t: base64.encodebytes(t.encode()).decode(),
    "basic": lambda t: base64.b64encode(f"user:{t}".encode()).decode(),
    "base64, one before": lambda t: base64.b64encode(f"x{t}y".encode()).decode(),
    "base64, two before": lambda t: base64.b64encode(f"xy{t}".encode()).decode(),
    "hexadecimal": lambda t: t.encode().hex(),
    "hexadecimal, upper case": lambda t: t.encode().hex().upper(),
    "as it is": str,
}
KEYS = st.text(alphabet=string.ascii_letters + string.digits + "-_.~+/=:@!$*\"'\\<>", min_size=12, max_size=60)
AROUND = st.sampled_from(
    ["{}", "{}\n", " {}\r\n", '"{}"', "'{}' ", "\u201c{}\u201d", "Bearer {}", '"bearer {}\n"', "\ufeff{}"]
)


def usable(key: str) -> bool:
    """Whether nothing is taken off the key itself."""
    return Secret(key).reveal() == key


@settings(max_examples=60)
@given(
    key=KEYS.filter(usable),
    around=AROUND,
    escapes=st.lists(st.sampled_from(sorted(ESCAPES)), max_size=3),
    whole=st.sampled_from(sorted(WHOLE)),
    with_around=st.booleans(),
)
@example("sk-live-0123456789", "{}\n", ["repr", "json"], "as it is", True)
@example("\\\\ab\\\\cdefghij", "{}", ["repr", "repr"], "as it is", False)
def test_no_spelling_is_left(key: str, around: str, escapes: list[str], whole: str, with_around: bool) -> None:
    written = around.format(key)
    secret = Secret(written)
    assert secret.reveal() == key
    said = WHOLE[whole](written if with_around else key)
    for name in escapes:
        said = ESCAPES[name](said)
    shown = secret.scrub(f"header Authorization: {said} is not valid")
    assert STARS in shown
    assert key not in shown
    # What is around the key may stay (`Bearer`, quotation marks), and with base64 a digit or two.
    middle = said[len(said) // 3 : 2 * len(said) // 3]
    assert middle not in shown


@settings(max_examples=40)
@given(key=KEYS.filter(usable), kept=st.integers(12, 60))
def test_the_beginning_of_a_key_in_a_text_that_was_cut_is_hidden_too(key: str, kept: int) -> None:
    assert Secret(key).scrub(f"invalid {key[:kept]}") == f"invalid {STARS}"


@settings(max_examples=40)
@given(key=KEYS.filter(usable), text=st.text(alphabet="abc \\%u0041&;", max_size=80))
def test_other_text_is_left_alone(key: str, text: str) -> None:
    assume(not set(key) <= set("abc\\%u0041&;"))
    assume(key[:12].upper() not in text.upper())
    assert Secret(key).scrub(text) == text
    assert Secret("").scrub(text) == text


@pytest.mark.parametrize(
    ("key", "text", "shown"),
    [
        ("x", "x is unknown, a box", "x is unknown, a box"),
        ("x", "the header 'Bearer x' of box", "the header 'Bearer ***' of box"),
        ("abc", '"api_key": "abc", abc', '"api_key": "***", abc'),
        ("EMPTY", "EMPTY_SET, EMPTY and NONEMPTY", "EMPTY_SET, *** and NONEMPTY"),
        ("sk-12345", "(xsk-12345x)", "(x***x)"),
    ],
)
def test_short_keys_do_not_turn_ordinary_text_into_stars(key: str, text: str, shown: str) -> None:
    if key == "EMPTY":
        shown = shown.replace("EMPTY_SET", "***_SET")  # an underscore does not belong to a word
    assert Secret(key).scrub(text) == shown


def test_answers_hold_no_long_key_and_keep_short_words() -> None:
    body = {"choices": [{"message": {"content": "the key is sk-123456789, a EMPTY set"}}], "n": 1.5}
    assert Secret("EMPTY").scrub_body(body) == body
    (choice,) = Secret("sk-123456789").scrub_body(body)["choices"]
    assert choice["message"]["content"] == "the key is ***, a EMPTY set"


@pytest.mark.parametrize(
    "value", ["sk-live-0123\x00456789", "sk-live\n-0123456789", "\u201csk-live-0123456789", "sk-l\u00efve-0123456789"]
)
def test_what_no_key_can_have_is_said_without_the_key(value: str) -> None:
    with pytest.raises(EndpointError) as caught:
        EndpointSettings(("http://h",), api_key=Secret(value))
    assert caught.value.field == "api key"
    with pytest.raises(EndpointError, match="PDR_API_KEY") as named:
        EndpointSettings(("http://h",), api_key=key_from_environment({"PDR_API_KEY": value}))
    for error in (caught.value, named.value):
        assert not [part for part in ("sk-l", "live", "0123", "456", "6789") if part in str(error)]


@pytest.mark.parametrize("empty", ["", " \n", '""', "Bearer "])
def test_an_empty_variable_is_as_none(empty: str) -> None:
    assert key_from_environment({"PDR_API_KEY": empty, "OPENAI_API_KEY": " b\n"}).reveal() == "b"
