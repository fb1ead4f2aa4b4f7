"""A search in which every secret is a canary: nothing that it writes or prints holds one, whatever goes wrong."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from fakes import stages
from fakes.vllm import Call, FakeVLLM, Reply

sys.path.insert(0, str(Path(__file__).parent))

from canaries import Canary, found, found_below

HERE = Path(__file__).parent
KEYS = tuple(
    Canary(name, f"Zq{number}x/{name[-9:].lower()}+w=7~{number}Kv")
    for number, name in enumerate(
        (
            "PDR_API_KEY", "PDR_PROPOSER_API_KEY", "PDR_EMBEDDED_API_KEY", "OPENAI_API_KEY", "HOSTED_VLLM_API_KEY",
            "VLLM_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY", "DATABASE_PASSWORD",
        )
    )
)  # fmt: skip
ENDPOINT, HTTP_PROXY, HTTPS_PROXY, STORAGE, TRACKING, TRACKING_DATABASE = (
    Canary(name, f"pW{number}/d@{number}a:s%{number}s#{name}", "me")
    for number, name in enumerate(("endpoint", "proxy", "tlsproxy", "storage", "tracking", "database"))
)
SECRETS = (*KEYS, ENDPOINT, HTTP_PROXY, HTTPS_PROXY, STORAGE, TRACKING, TRACKING_DATABASE)
KEY, PROPOSER = KEYS[:2]


SIZE = (
    "--budget", "tokens=4k", "--problems", "8", "--report-problems", "8", "--front", "1", "--trials", "4",
    "--topologies", "1,2-1,2-vote", "--load", "8",
)  # fmt: skip


def echoing(call: Call) -> Reply:
    """An answer, or a fault that says the request's headers in some spelling."""
    header = call.headers["authorization"]
    spelled = (
        header,
        repr(header),
        json.dumps(header),
        quote(header, safe=""),
        base64.b64encode(header.encode()).decode(),
    )
    said = f"refused: {spelled[call.number % len(spelled)]}, headers {json.dumps(call.headers)}"
    match call.number % 12:
        case 3:
            return Reply(raw=json.dumps({"choices": said, "headers": call.headers}))
        case 7:
            return Reply(status=500, message=said)
        case 9:
            return Reply(raw=f"<html>{said}</html>", content_type="text/html")
    if stages.stage_of(call) not in ("draft", "refine"):
        reply = stages.by_stage(call)
        return reply if isinstance(reply, Reply) else Reply(text=reply)
    wanted = stages.field(call, "problem").split()[-1]
    if int(wanted) % 5 == 1:
        return Reply(status=400, message=f"{said[:200]} This model's maximum context length is 8192 tokens.")
    if int(wanted) % 5 == 2:
        return Reply(text=said)
    return Reply(text=stages.fields(solution=f"it says {said}", answer=wanted))


def refusing(call: Call) -> Reply:
    """A 401 that says the key."""
    return Reply(status=401, message=f"invalid key: {call.headers.get('authorization')}")


@pytest.mark.slow
def test_no_secret_is_in_anything_that_is_written_or_printed(
    start_fake: Callable[..., FakeVLLM], tmp_path: Path
) -> None:
    answering = start_fake(context=8192, answer=echoing, api_key=KEY.value)
    refuses, proposer = start_fake(context=8192, answer=refusing), start_fake(context=16384, answer=refusing)
    way = start_fake(answer=refusing)
    away = f"http://me:{ENDPOINT.value}@127.0.0.1:9/v1"
    address = f"me:{quote(HTTP_PROXY.value, safe='')}@127.0.0.1"
    kept = f"me:{STORAGE.value}"
    data = tmp_path / "data.jsonl"
    data.write_text("".join(f'{{"problem": "say {i}", "answer": "{i}"}}\n' for i in range(40)), encoding="utf-8")
    size = [*SIZE, "--data", "data.jsonl"]
    server = ["--endpoint", answering.url]
    tracked = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    proxied = {"HTTP_PROXY": f"http://{address}:9", "HTTPS_PROXY": f"me:{HTTPS_PROXY.value}@127.0.0.1:9"}
    commands = (
        ("search", {}, [*size, *server, "--study", "whole"]),
        ("search", {}, [*size, *server, "--study", "whole", "--seed", "1"]),
        ("run", {}, ["runs/whole/winner.yaml", *SIZE[:4], "--data", "data.jsonl", *server]),
        ("report", {}, ["whole"]),
        ("search", {}, [*size, "--endpoint", refuses.url, "--study", "refused"]),
        ("search", {}, [*size, *server, "--study", "asked", "--propose", "1", "--proposer", proposer.url]),
        ("search", {}, [*size, "--endpoint", away]),
        ("search", {}, [*size, *server, "--propose", "1", "--proposer", away]),
        ("search", {}, [*size, *server, "--study", "kept", "--storage", f"postgresql://{kept}@127.0.0.1:9/x"]),
        ("search", {}, [*size, "--stroage", f"postgresql://{kept}@127.0.0.1:9/x"]),
        ("report", {}, ["kept", f"postgresql://{kept}@127.0.0.1:9/x"]),
        ("report", {}, ["kept", "--storage", f"postgresql://127.0.0.1:9/x?user=me&password={quote(STORAGE.value)}"]),
        ("search", {**tracked, "MLFLOW_TRACKING_URI": f"http://me:{quote(TRACKING.value, safe='')}@127.0.0.1:9"},
         [*size, *server, "--study", "tracked"]),
        ("search", {"MLFLOW_TRACKING_URI": f"sqlite://me:{TRACKING_DATABASE.value}@host/mlflow.db"},
         [*size, *server, "--study", "based"]),
        ("search", proxied, [*size, "--endpoint", "http://model.invalid:8000/v1"]),
        ("search", {"HTTP_PROXY": f"http://{address}:{way.url.split(':')[-1].removesuffix('/v1')}"},
         [*size, "--endpoint", "http://model.invalid:8000/v1"]),
        ("search", {"HTTPS_PROXY": f"socks5://{address}:9"}, [*size, "--endpoint", "https://model.invalid:8000/v1"]),
        ("crash", {**proxied, "DATABASE_URL": f"postgresql://me:{STORAGE.value}@host/x", "ENDPOINT": away,
                   "MLFLOW_TRACKING_URI": f"https://me:{TRACKING.value}@host",
                   "OTHER": f"mysql://me:{TRACKING_DATABASE.value}@host/x"}, [*size, *server]),
        ("save", {}, [answering.url]),
    )  # fmt: skip
    home = tmp_path / "home"
    home.mkdir()
    ended = subprocess.run(
        [sys.executable, str(HERE / "commands.py")],
        input=json.dumps(commands).encode(),
        cwd=tmp_path,
        env={
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            **{canary.name: canary.value for canary in KEYS},
            "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]),
            "HOME": str(home),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PYTHONDEVMODE": "",
        },
        capture_output=True,
        timeout=500,
    )
    out, err = ended.stdout.decode(), ended.stderr.decode()
    assert ended.returncode == 0, f"{out}\n{err}"
    codes = re.findall(r"\[(\w+) ended with (\d+)\]", out)
    print(out, err)
    assert [name for name, _ in codes] == [name for name, _, _ in commands], f"{out}\n{err}"

    # What is looked for was there: keys were sent and said again, and what nobody foresaw was told.
    assert {call.headers["authorization"] for call in answering.calls} == {f"Bearer {KEY.value}"}
    assert {call.headers["authorization"] for call in proposer.calls} == {f"Bearer {PROPOSER.value}"}
    assert "Traceback" in err and "***" in out and "***" in err
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"report.html", "report.md", "winner.yaml", "front.json", "mlflow.db", "program.pkl", "lm.pickle"} <= files
    assert any("***" in path.read_text("utf-8") for path in (tmp_path / "mlruns").rglob("*.json"))

    leaks = [*found(SECRETS, "stdout", out.encode()), *found(SECRETS, "stderr", err.encode())]
    assert not [*leaks, *found_below(SECRETS, tmp_path)]


def test_a_canary_is_found_in_every_spelling() -> None:
    value = KEY.value
    for said in (
        value,
        repr(value),
        quote(value, safe=""),
        value[:14],
        base64.b64encode(f"x{value}".encode()).decode(),
    ):
        assert found(SECRETS, "x", f"so {said}.".encode()), said
    assert found(SECRETS, "x", base64.b64encode(f"me:{STORAGE.value}".encode()))
    assert not found(SECRETS, "x", b"nothing of them")
