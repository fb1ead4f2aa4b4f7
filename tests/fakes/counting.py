"""A fake vLLM server that keeps its own count of what it generated, whatever becomes of the answer.

    server = CountingVLLM()
    server.faults["q1"] = deque([Fault("status", after=True, status=504), Fault()])      # by the call's first message
    server.generated                                # at every instant; `watch` is called whenever it grows

It knows nothing of the library under test.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fakes.vllm import Call, FakeVLLM, Reply


@dataclass(frozen=True)
class Fault:
    """What becomes of one request.

    Attributes:
        kind: `answer`; `status` (with `status`), `close` and `reset` (the connection), `hang`: before or after it is
            generated; `cut` (in the middle of the body), `short` (a content-length that ends in the middle), `raw`
            (`raw` instead of the completion), `zipped` (said to be, and is not): all after.
        tokens: Tokens that the model would like to write, for each choice.
        after: Whether it is generated before it fails.
        status: HTTP status.
        raw: Body.
        finish: Finish reason, where it is not "stop" or "length".
        usage: Instead of the completion's; False leaves it out.
        beyond: Whether the cap is ignored.
    """

    kind: str = "answer"
    tokens: int = 12
    after: bool = True
    status: int = 200
    raw: str = ""
    finish: str = ""
    usage: Any = None
    beyond: bool = False


class CountingVLLM(FakeVLLM):
    """The server."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[str, deque[Fault]] = {}
        self.generated = 0
        self.watch: Callable[[], None] = lambda: None

    def metrics(self) -> dict[str, float]:
        """As vLLM's: what was generated, whoever was told of it."""
        return {**super().metrics(), "vllm:generation_tokens_total": self.generated}

    async def _reply(self, call: Call) -> Reply:
        if (refusal := self._refusal(call)) is not None:
            return refusal
        waiting = self.faults.get(str(call.messages[0]["content"]))
        fault = waiting.popleft() if waiting else Fault()
        body = self._generate(call, fault) if fault.after else {}
        if fault.kind == "hang":
            await asyncio.Event().wait()
        raw = fault.raw or json.dumps(body)
        status = fault.status if fault.kind == "status" else 200
        said = json.dumps({"error": {"message": "it failed"}}) if fault.kind == "status" else raw
        headers = {"short": {"content-length": str(len(raw) // 2)}, "zipped": {"content-encoding": "gzip"}}
        reply = Reply(status=status, raw=said, headers=headers.get(fault.kind, {}))
        call.__dict__["fault"] = fault
        return reply

    async def _answer(self, call: Call, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        kind = call.__dict__["fault"].kind if "fault" in call.__dict__ else ""
        if kind == "reset":  # RST, not FIN
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if kind in ("close", "reset"):
            writer.transport.abort()
            return False
        if kind == "cut":
            body = str(reply.raw)
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n{body[: len(body) // 2]}".encode())
            await writer.drain()
            return False
        await super()._answer(call, reply, writer)
        return kind != "short"  # what is left of it would be read as the next answer

    def _generate(self, call: Call, fault: Fault) -> dict[str, Any]:
        cap = self.context if fault.beyond else min(call.cap or self.context, self.context)
        length, copies = min(fault.tokens, cap), int(call.body.get("n") or 1)
        self.generated += length * copies
        self.watch()
        finish = fault.finish or ("length" if length == cap else "stop")
        message = {"role": "assistant", "content": " ".join(["word"] * length)}
        body: dict[str, Any] = {
            "id": f"chatcmpl-{call.number}",
            "object": "chat.completion",
            "created": 0,
            "model": self.model,
            "choices": [{"index": i, "message": message, "finish_reason": finish} for i in range(copies)],
        }
        prompt = self._prompt_tokens(call.body)
        used = {"prompt_tokens": prompt, "completion_tokens": length * copies, "total_tokens": prompt + length * copies}
        if fault.usage is not False:
            body["usage"] = used if fault.usage is None else {**used, **fault.usage}
        return body
