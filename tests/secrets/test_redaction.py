"""One scrubber for all output: what it hides, what it leaves alone, and that it reads long texts in linear time."""

from __future__ import annotations

import base64
import json
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.secrets.credentials import passwords_of, without_credentials, without_password
from pdr_dspy.secrets.redaction import is_secret, redacted, redacted_json, without_known
from pdr_dspy.secrets.secret import Secret

PASSWORD = "p/w@ss:w%rd-01"


@pytest.mark.parametrize(
    "name",
    [
        "PDR_API_KEY", "PDR_PROPOSER_API_KEY", "PDR_EMBEDDED_API_KEY", "OPENAI_API_KEY", "HF_TOKEN", "PGPASSWORD",
        "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "DATABASE_PASSWORD", "GH_TOKEN",
        "MYSQL_PWD", "AZURE_STORAGE_KEY", "hf_token",
    ],
)  # fmt: skip
def test_a_variable_that_is_named_like_a_secret_is_one(name: str) -> None:
    assert is_secret(name)
    assert without_known("so is value-0123, here", {name: "value-0123\n"}, []) == "so is ***, here"


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "HOME", "TOKENIZERS_PARALLELISM", "KEYBOARD", "PATH", "PATTERN"])
def test_others_are_none(name: str) -> None:
    assert not is_secret(name)
    assert without_known("so is value-0123, here", {name: "value-0123"}, []) == "so is value-0123, here"


@pytest.mark.parametrize(
    ("variable", "form"),
    [
        ("HTTP_PROXY", "http://me:{}@proxy:3128"),
        ("https_proxy", "me:{}@proxy:3128"),
        ("MLFLOW_TRACKING_URI", "https://me:{}@tracking/x"),
        ("MLFLOW_TRACKING_URI", "postgresql+psycopg://me:{}@host/db"),
        ("OPTUNA_STORAGE", "postgresql://host/db?user=me&password={}"),
        ("DATABASE_URL", "host=h user=me password={}"),
        ("PIP_INDEX_URL", "https://{}@index/simple"),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_passwords_of_addresses_in_the_environment_are_hidden_in_every_spelling(
    variable: str, form: str, quoted: bool
) -> None:
    raw = quoted or "://{}@" not in form
    password = PASSWORD if raw else "p-w-ss-w-rd-01"
    environ = {variable: form.format(urllib.parse.quote(password, safe="") if quoted else password)}
    basic = base64.b64encode(f"me:{password}".encode()).decode()
    shown = without_known(
        f"{environ[variable]} and {password} and {password!r} and {urllib.parse.quote(password)} and Basic {basic} end",
        environ,
        [],
    )
    for spelled in (password, password[3:], urllib.parse.quote(password, safe=""), basic[8:-4]):
        assert spelled not in shown
    assert shown.endswith(" end")


def test_passwords_of_the_command_line_are_hidden() -> None:
    words = ["search.py", "--storage", f"postgresql://me:{PASSWORD} x@host/db"]
    assert without_known(f"no such role: {PASSWORD} x!", {}, words) == "no such role: ***!"


def test_a_key_is_hidden_while_it_is_held_and_no_longer() -> None:
    key = Secret("held-key-0123456789")
    assert redacted("is held-key-0123456789 valid?") == "is *** valid?"
    del key
    assert redacted("is held-key-0123456789 valid?") == "is held-key-0123456789 valid?"


def test_a_password_that_is_the_users_name_spoils_no_text() -> None:
    environ = {"DATABASE_URL": "postgresql://postgres:postgres@host/db"}
    assert without_known("postgresql is there", environ, []) == "postgresql is there"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:pw@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p/w@h/d, x@y", "postgresql://u:***@h/d, x@y"),
        ("postgresql://u:p@ss@h/d", "postgresql://u:***@h/d"),
        ("https://tok123@h/d", "https://***@h/d"),
        ("http://h/?password=abc&token=tok123&x=1", "http://h/?password=***&token=***&x=1"),
        ("connect(host='h', password='a b', x=1)", "connect(host='h', password=***, x=1)"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer ***"),
        ("{'Authorization': 'Basic bWU6cHc='}", "{'Authorization': 'Basic ***'}"),
        ("(b'Proxy-Authorization', b'Basic bWU6cHc=')", "(b'Proxy-Authorization', b'Basic ***')"),
        ("X-API-Key: abc, next", "X-API-Key: ***, next"),
        ("sk-abcdefghijklmnop0123", "***"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
    assert without_credentials(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8000/v1", "http://host:8000/a@b", "sqlite:///x.db", "tokens=16k", "--budget tokens=16k,seconds=3",
        "api key: the server refuses the key (HTTP 401). Set PDR_API_KEY or give api_key", "mail me@host",
        "Write it like postgresql://user@host/name", "10:30 @ x",
        "ask-me-anything-about-this-one", "f(x) = 3, secret = 4",
    ],
)  # fmt: skip
def test_other_text_stays_what_it_is(text: str) -> None:
    assert without_credentials(text) == text


def test_json_stays_json() -> None:
    value = {'said "password="x': ['it was password="a b"', "Authorization: \\", 1.5, None, True]}
    shown = redacted_json(value)
    assert json.loads(json.dumps(shown)) == shown
    assert "a b" not in str(shown) and next(iter(shown.values()))[2:] == [1.5, None, True]


@given(st.text(alphabet="ab:/@%= &", max_size=12))
def test_no_word_of_a_command_line_breaks_it(word: str) -> None:
    for value in passwords_of(f"x://me:{word}@host"):
        assert value
    assert f":{word}@" not in without_password(f"x://me:{word}@host") or word in ("", "***") or not word.strip("@")


@pytest.mark.parametrize(
    "piece", ["://a:", "://a:b/", "password='", "Authorization: ", "Bearer ", "\\x41%41&#65; ", "@"]
)
def test_long_texts_are_read_in_linear_time(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        began = time.process_time()
        without_credentials(text)
        return time.process_time() - began

    assert seconds(200_000) < 60 * max(seconds(20_000), 0.005)
