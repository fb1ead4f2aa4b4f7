"""`dspy.streamify` over programs with a `PDR` in them: nothing hangs, the prediction comes, later calls work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import dspy
import pytest
from dspy.lm15 import Message, Response, Usage, response_to_events
from dspy.streaming import StatusMessage, StatusMessageProvider, StreamListener, StreamResponse
from fakes.stages import by_stage, fields
from fakes.vllm import Call, FakeVLLM, Reply

from pdr_dspy.endpoint import Endpoint
from pdr_dspy.modules import PDR, MajorityVote, StageMessages
from pdr_dspy.modules.progress import Progress, watching
from pdr_dspy.workflow import Round, Summary, Workflow

LIMIT = 60.0
"""Seconds after which a test says that it hangs; nothing waits for it."""


def pdr(width: int = 16, last: int = 1) -> PDR:
    close = "single" if last == 1 else "vote"
    rounds = (Round(width=width, distill=Summary(tokens=64)), Round(width=last))
    return PDR("problem -> answer", Workflow(name="pdr", rounds=rounds, close=close), budget="tokens=2k")


class Chatty(StatusMessageProvider):
    """Says all that DSPy lets it say."""

    def module_start_status_message(self, instance: Any, inputs: Any) -> str:
        return f"start {type(instance).__name__}"

    def module_end_status_message(self, outputs: Any) -> str:
        return "end"

    def lm_start_status_message(self, instance: Any, inputs: Any) -> str:
        return "lm start"

    def lm_end_status_message(self, outputs: Any) -> str:
        return "lm end"


class Within(dspy.Module):
    """A program of somebody's."""

    def __init__(self, inner: dspy.Module) -> None:
        super().__init__()
        self.rewrite = dspy.Predict("problem -> answer")
        self.inner = inner

    def forward(self, problem: str) -> dspy.Prediction:
        self.rewrite(problem=problem)
        return self.inner(problem=problem)

    async def aforward(self, problem: str) -> dspy.Prediction:
        await self.rewrite.acall(problem=problem)
        return await self.inner.acall(problem=problem)


async def read(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


def streamed(program: dspy.Module, **options: Any) -> list[Any]:
    async def go() -> list[Any]:
        return await asyncio.wait_for(read(dspy.streamify(program, **options)(problem="q")), LIMIT)

    return asyncio.run(go())


def messages(items: list[Any]) -> list[str]:
    return [item.message for item in items if isinstance(item, StatusMessage)]


def text(items: list[Any]) -> str:
    return "".join(item.chunk for item in items if isinstance(item, StreamResponse))


@pytest.fixture(autouse=True)
def _lm(endpoint: Endpoint, model: FakeVLLM) -> Any:
    # A plain Predict asks in DSPy's markers, which `by_stage` knows by the field `solution` alone.
    def answer(call: Call) -> str:
        return "[[ ## answer ## ]]\none two\n\n[[ ## completed ## ]]" if _plain(call) else by_stage(call)

    model.answer = answer
    with dspy.context(lm=endpoint.lm):
        yield


def _plain(call: Call) -> bool:
    return "starting with the field `[[ ## answer ## ]]`" in call.prompt


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("provider", [None, Chatty()], ids=["silent", "chatty"])
@pytest.mark.parametrize("make", [lambda: pdr(16), lambda: Within(pdr(16))], ids=["alone", "within"])
def test_a_wide_program_streams_and_later_calls_work(
    make: Callable[[], dspy.Module], provider: Any, is_async: bool
) -> None:
    program = make()
    for _ in range(2):
        items = streamed(program, status_message_provider=provider, is_async_program=is_async)
        assert isinstance(items[-1], dspy.Prediction)
        assert sum(type(item).__name__ == "EngineChunk" for item in items) >= 2 * 18
        assert (messages(items).count("start Predict") >= 18) == (provider is not None)
    assert pdr(2)(problem="later").answer


def test_a_synchronous_generator_streams_too() -> None:
    items = list(dspy.streamify(pdr(16), status_message_provider=Chatty(), async_streaming=False)(problem="q"))
    assert isinstance(items[-1], dspy.Prediction)
    assert "start PDR" in messages(items)


def test_a_slow_reader_gets_everything_in_order() -> None:
    async def go() -> list[Any]:
        found = []
        async for item in dspy.streamify(pdr(12), status_message_provider=StageMessages())(problem="q"):
            await asyncio.sleep(0.01)
            found.append(item)
        return found

    items = asyncio.run(go())
    drafts = [m for m in messages(items) if m.endswith("drafts")]
    assert drafts == [f"{n} of 12 drafts" for n in range(1, 13)]
    assert isinstance(items[-1], dspy.Prediction)


def test_stages_are_said() -> None:
    items = streamed(pdr(3, last=2), status_message_provider=StageMessages())
    assert messages(items) == [
        "drafting", "1 of 3 drafts", "2 of 3 drafts", "3 of 3 drafts",
        "distilling",
        "refining", "1 of 2 refinements", "2 of 2 refinements",
    ]  # fmt: skip


def test_a_provider_may_put_the_stages_in_its_own_words() -> None:
    class German(StatusMessageProvider):
        def stage_status_message(self, progress: Progress) -> str | None:
            return f"{progress.done} von {progress.of}" if progress.stage == "draft" else None

    assert messages(streamed(pdr(2), status_message_provider=German())) == ["0 von 2", "1 von 2", "2 von 2"]


def test_nothing_is_said_that_nobody_asked_for() -> None:
    assert messages(streamed(pdr(2))) == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    "adapter", [None, dspy.ChatAdapter(), dspy.JSONAdapter(), dspy.XMLAdapter()], ids=["none", "chat", "json", "xml"]
)
def test_a_listener_hears_the_answer_that_is_accepted(adapter: Any, is_async: bool, model: FakeVLLM) -> None:
    if isinstance(adapter, dspy.JSONAdapter | dspy.XMLAdapter):
        model.answer = _in(adapter)
    program = pdr(8, last=3)
    listeners = [
        StreamListener("answer", predict=program.answering, predict_name="refine"),
        StreamListener("solution", predict=program.answering, predict_name="refine"),
    ]
    with dspy.context(adapter=adapter):
        items = streamed(program, stream_listeners=listeners, is_async_program=is_async)
    final = items[-1]
    heard = {name: "".join(i.chunk for i in items[:-1] if i.signature_field_name == name) for name in ("answer",)}
    assert heard == {"answer": final.answer}
    solution = [i for i in items[:-1] if i.signature_field_name == "solution"]
    assert "".join(i.chunk for i in solution) == final.reasoning
    assert len(solution) > 1
    assert [i.is_last_chunk for i in solution] == [False] * (len(solution) - 1) + [True]
    assert {i.predict_name for i in items[:-1]} == {"refine"}


def _in(adapter: Any) -> Callable[[Call], str]:
    def answer(call: Call) -> str:
        system = call.messages[0]["content"].split("Your output fields are:")[1]
        names = [line.split("`")[1] for line in system.splitlines() if line[:1].isdigit()]
        values = {name: f"a {name} of {call.number % 2}" for name in names}
        return str(adapter.format_assistant_message_content(dspy.Signature(f"q -> {', '.join(names)}"), values))

    return answer


def test_a_listener_hears_a_helper_and_the_first_draft() -> None:
    program = pdr(4)
    listeners = [StreamListener("workspace"), StreamListener("answer", predict=program.draft, predict_name="draft")]
    items = streamed(program, stream_listeners=listeners, include_final_prediction_in_output_stream=False)
    assert not any(isinstance(i, dspy.Prediction) for i in items)
    workspace = [i for i in items if i.signature_field_name == "workspace"]
    assert "".join(i.chunk for i in workspace) == "notes on 4 drafts"
    assert sum(i.is_last_chunk for i in items) == 2


def test_the_program_itself_can_be_listened_to() -> None:
    program = Within(pdr(4, last=3))
    listeners = [StreamListener(name, predict=program.inner, predict_name="inner") for name in ("answer", "reasoning")]
    items = streamed(program, stream_listeners=listeners)
    assert text([i for i in items[:-1] if i.signature_field_name == "answer"]) == items[-1].answer
    assert text([i for i in items[:-1] if i.signature_field_name == "reasoning"]) == items[-1].reasoning


def test_a_listener_that_is_used_again_hears_every_draft() -> None:
    program = pdr(4)
    listener = StreamListener("answer", predict=program.draft, predict_name="draft", allow_reuse=True)
    items = streamed(program, stream_listeners=[listener])
    assert sum(i.is_last_chunk for i in items[:-1]) == 4


def test_a_plain_predict_on_the_same_endpoint_is_heard_in_pieces() -> None:
    program = Within(pdr(4))
    listener = StreamListener("answer", predict=program.rewrite, predict_name="rewrite")
    items = streamed(program, stream_listeners=[listener], status_message_provider=Chatty())
    chunks = [i for i in items if isinstance(i, StreamResponse)]
    assert text(items) == "one two"
    assert len(chunks) >= 2


@pytest.mark.parametrize("how", ["cancelled", "breaks"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_reader_who_leaves_ends_the_calls(is_async: bool, how: str, model: FakeVLLM) -> None:
    model.answer = lambda call: Reply(text=by_stage(call), delay=0 if not call.number else 300)

    async def reader() -> None:
        async for _ in dspy.streamify(pdr(4), is_async_program=is_async)(problem="q"):
            await asyncio.to_thread(model.wait, lambda f: f.in_flight == 3, LIMIT)
            if how == "breaks":
                break

    async def go() -> None:
        # A task of its own: DSPy cancels the task that leaves its generator.
        reading = asyncio.create_task(reader())
        if how == "cancelled":
            await asyncio.to_thread(model.wait, lambda f: f.in_flight == 3, LIMIT)
            reading.cancel()
        await asyncio.wait([reading])
        await asyncio.to_thread(model.wait, lambda f: f.in_flight == 0, LIMIT)

    asyncio.run(asyncio.wait_for(go(), LIMIT))
    assert (model.in_flight, model.disconnects, len(model.calls)) == (0, 3, 4)
    model.answer = by_stage
    assert pdr(2)(problem="later").answer


def test_what_the_program_raises_comes_to_the_reader(model: FakeVLLM) -> None:
    model.answer = "[[ ## completed ## ]]"
    with pytest.raises(Exception, match="no draft left"):
        streamed(pdr(4), status_message_provider=Chatty())


def test_threads_of_parallel_work_without_streaming() -> None:
    class Many(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = pdr(8)

        def forward(self, problem: str) -> dspy.Prediction:
            calls = [(self.inner, {"problem": f"{problem}{n}"}) for n in range(3)]
            return dspy.Parallel(num_threads=2, disable_progress_bar=True)(calls)[-1]

    items = streamed(Many())
    assert isinstance(items[-1], dspy.Prediction)


def test_two_at_once_in_one_stream() -> None:
    class Both(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = pdr(8), MajorityVote("problem -> answer", width=8, budget="tokens=1k")

        async def aforward(self, problem: str) -> dspy.Prediction:
            both = await asyncio.gather(self.first.acall(problem=problem), self.second.acall(problem=problem))
            return both[0]

    items = streamed(Both(), status_message_provider=Chatty(), is_async_program=True)
    assert isinstance(items[-1], dspy.Prediction)
    assert messages(items).count("start Predict") == 18


def test_a_worker_thread_with_a_loop_of_its_own_works_without_streaming() -> None:
    class Own(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = pdr(16)

        def forward(self, problem: str) -> dspy.Prediction:
            return asyncio.run(self.inner.acall(problem=problem))

    assert isinstance(streamed(Own())[-1], dspy.Prediction)


def test_a_watcher_that_fails_ends_nothing() -> None:
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        raise ValueError("no")

    with watching(watch):
        assert pdr(2)(problem="q").answer
    assert seen[0] == Progress("draft", 0, 0, 2)
    assert seen[-1] == Progress("refine", 1, 1, 1)


class Streaming:
    """An engine of somebody's that streams token by token."""

    supports_response_schema = False

    def __init__(self, tokens: int) -> None:
        self._text = fields(solution="word " * tokens, answer="42", workspace="w")

    async def complete(self, request: Any) -> Any:
        return Response(
            id="1", model=request.model, message=Message.assistant(self._text), finish_reason="stop", usage=Usage()
        )

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        for event in response_to_events(await self.complete(request)):
            if event.type != "delta":
                yield event
                continue
            for word in self._text.split(" "):
                await asyncio.sleep(0)
                yield replace(event, delta=replace(event.delta, text=word + " "))


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("listened", [False, True])
def test_an_lm_that_streams_token_by_token(is_async: bool, listened: bool) -> None:
    lm = dspy.LM("some/model", engine=_Sync(), async_engine=Streaming(60), cache=False)
    program = pdr(8)
    listener = StreamListener("solution", predict=program.answering, predict_name="refine")
    with dspy.context(lm=lm, adapter=dspy.ChatAdapter(use_json_adapter_fallback=False)):
        items = streamed(
            program, status_message_provider=Chatty(), is_async_program=is_async,
            stream_listeners=[listener] if listened else [],
        )  # fmt: skip
    assert items[-1].answer == "42"
    if listened:
        assert text(items) == items[-1].reasoning
    else:
        assert sum(type(item).__name__ == "EngineChunk" for item in items) > 10 * 60


class _Sync:
    """Nothing calls it: a run is asynchronous."""

    supports_response_schema = False

    def complete(self, request: Any) -> Any:
        raise AssertionError

    def stream(self, request: Any) -> Any:
        raise AssertionError
