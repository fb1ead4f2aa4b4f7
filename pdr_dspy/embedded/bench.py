"""`python -m pdr_dspy.embedded.bench`: how fast the server is, beside the bare engine in the same run.

For each number of requests in flight: generated tokens a second over HTTP and from the bare pipeline (same prompts,
same process conditions), and tokens for each second of CPU, which means something on a busy machine too (Linux only).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .chat import ChatTokenizer
from .jobs import EngineOptions, Sampling
from .launch import start
from .model import read_model
from .process import EmbeddedReasoner
from .serve import WEIGHTS, ServerSettings, default_threads

_WORDS = ("reach", "each", "target", "from", "three", "given", "numbers", "once", "with", "plus", "minus", "times")


def main() -> int:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(prog="python -m pdr_dspy.embedded.bench", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--tokens", type=int, default=64, help="generated tokens of each request")
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--stream", action="store_true")
    options = parser.parse_args()
    print(_row("in flight", "requests", "HTTP tok/s", "raw tok/s", "ratio", "HTTP tok/cpu-s", "raw tok/cpu-s"))
    with start(weights=options.weights, threads=options.threads) as server:
        for width in options.in_flight:
            bodies = [_body(server.model, i, options) for i in range(max(24, width * 4))]
            asyncio.run(_load(server, bodies[:width], width))
            before, began = _cpu_seconds(server.pid), time.perf_counter()
            asyncio.run(_load(server, bodies, width))
            seconds, cpu = time.perf_counter() - began, _cpu_seconds(server.pid) - before
            raw_seconds, raw_cpu = _raw(options, bodies, width)
            total = len(bodies) * options.tokens
            speeds = (f"{total / seconds:.0f}", f"{total / raw_seconds:.0f}", f"{raw_seconds / seconds:.2f}")
            print(_row(width, len(bodies), *speeds, _per(total, cpu), _per(total, raw_cpu)), flush=True)
    return 0


def _row(*cells: object) -> str:
    return "".join(f"{cell!s:>15}" for cell in cells)


def _per(total: int, cpu: float) -> str:
    return f"{total / cpu:.0f}" if cpu > 0 else "-"


def _body(model: str, number: int, options: argparse.Namespace) -> dict[str, Any]:
    words = random.Random(number)
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": " ".join(_WORDS * 3)},
            {"role": "user", "content": " ".join(words.choices(_WORDS, k=30))},
        ],
        "max_tokens": options.tokens,
        "temperature": 0.8,
        "top_p": options.top_p,
        "seed": number,
        "ignore_eos": True,
        "stream": options.stream,
    }


async def _load(server: EmbeddedReasoner, bodies: Sequence[dict[str, Any]], width: int) -> None:
    """Send all bodies, `width` at a time. A bare client: a full one would be what is measured on few cores."""
    port = int(server.base_url.split(":")[2].split("/")[0])
    waiting = iter(bodies)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            data = json.dumps(body).encode()
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            writer.write(b"Authorization: Bearer %s\r\n" % server.api_key.encode())
            writer.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(head.decode())
            if b"content-length: " in head:
                await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
            else:
                await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()

    await asyncio.gather(*(client() for _ in range(width)))


def _raw(options: argparse.Namespace, bodies: Sequence[dict[str, Any]], width: int) -> tuple[float, float]:
    settings = ServerSettings()
    tokenizer = ChatTokenizer(options.weights)
    prompts = [tokenizer.encode(tokenizer.render(body["messages"])) for body in bodies]
    engine = EngineOptions(
        weights=str(options.weights),
        threads=options.threads,
        max_num_seqs=settings.max_num_seqs,
        max_num_batched_tokens=settings.max_num_batched_tokens,
        kv_blocks=read_model(options.weights).kv_blocks(settings.kv_cache_mb),
    )
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_bare_engine, args=(theirs, engine, prompts, width, options.tokens, options.top_p))
    process.start()
    theirs.close()
    seconds, cpu = ours.recv()
    process.join()
    return float(seconds), float(cpu)


def _bare_engine(
    answer: Connection, options: EngineOptions, prompts: Sequence[Sequence[int]], width: int, tokens: int, top_p: float
) -> None:
    """The pipeline alone, kept `width` sequences wide."""
    from .pipeline import OpenVinoPipeline, OpenVinoStream

    pipeline = OpenVinoPipeline(options)

    def run(share: Sequence[Sequence[int]]) -> None:
        waiting = list(enumerate(share))
        live: list[OpenVinoStream] = []
        while waiting or live:
            while waiting and len(live) < width:
                seed, prompt = waiting.pop(0)
                live.append(
                    pipeline.add(prompt, Sampling(temperature=0.8, top_p=top_p, seed=seed), tokens, frozenset())
                )
            pipeline.step()
            live = [stream for stream in live if stream.read().finish is None]

    run(prompts[:width])
    clocks: tuple[Callable[[], float], ...] = (time.perf_counter, time.process_time)
    before = [clock() for clock in clocks]
    run(prompts)
    answer.send(tuple(clock() - start for clock, start in zip(clocks, before, strict=True)))


def _cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and its children so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100 + sum(_cpu_seconds(child) for child in children)


if __name__ == "__main__":
    sys.exit(main())
