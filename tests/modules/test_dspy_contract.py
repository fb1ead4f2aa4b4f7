"""What DSPy 3.5 does otherwise than 3.4, by stand-ins: prompts that are objects, calls that are whole requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import dspy
import pytest
from dspy.lm15 import Config, Message, Request
from fakes.vllm import FakeVLLM

from pdr_dspy.endpoint import Endpoint
from pdr_dspy.messages import messages_of
from pdr_dspy.modules import PDR
from pdr_dspy.modules.prompt_size import PER_MEDIUM, PER_MESSAGE, prompt_size
from pdr_dspy.workflow import Round, Summary, Top, Workflow

KNOWN = {"max_tokens", "temperature", "top_p", "top_k", "seed", "stop"}
SMALL = Workflow(name="small", rounds=(Round(width=4, distill=Summary(tokens=64)), Round(width=1)))
PICKED = Workflow(name="picked", rounds=(Round(width=4, distill=Top(k=2)), Round(width=2)), close="pick")


@dataclass(frozen=True)
class Prompt:
    """As DSPy 3.5 hands a prompt on."""

    system: str | None
    messages: tuple[Any, ...]


class Adapter35(dspy.ChatAdapter):
    """DSPy's markers in the shapes of 3.5: `format` gives a `Prompt`, and the LM is given a `Request`."""

    def format(self, signature: Any, demos: Any, inputs: Any) -> Any:
        system, *rest = super().format(signature, demos, inputs)
        return Prompt(system["content"], tuple(_message(each) for each in rest))

    def _request(self, lm: Any, lm_kwargs: dict[str, Any], signature: Any, demos: Any, inputs: Any) -> Request:
        prompt = self.format(signature, demos, inputs)
        known = {name: value for name, value in lm_kwargs.items() if name in KNOWN}
        others = {k: v for k, v in lm_kwargs.items() if k not in KNOWN and k != "rollout_id" and v is not None}
        config = Config(**known, extensions=others or None)
        return Request(model=lm.model, messages=prompt.messages, system=prompt.system, config=config)

    async def acall(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
        response = await lm.acall(self._request(lm, lm_kwargs, signature, demos, inputs))
        return [self.parse(signature, response.text)]


def _message(message: dict[str, Any]) -> Message:
    content = message["content"]
    if isinstance(content, str):
        return Message.user(content) if message["role"] == "user" else Message.assistant(content)
    parts = [_part(part) for part in content]
    return Message(role=message["role"], parts=tuple(parts))


def _part(part: dict[str, Any]) -> Any:
    from dspy.lm15 import ImagePart, TextPart

    if part["type"] == "text":
        return TextPart(part["text"])
    return ImagePart(data=part["image_url"]["url"].partition(",")[2])


ADAPTERS = [dspy.ChatAdapter(use_json_adapter_fallback=False), Adapter35()]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=["dicts", "objects"])
@pytest.mark.parametrize("workflow", [SMALL, PICKED], ids=["summary", "pick"])
def test_a_program_runs_over_either(adapter: Any, workflow: Workflow, model: FakeVLLM, endpoint: Endpoint) -> None:
    with dspy.context(lm=endpoint.lm, adapter=adapter, track_usage=True):
        found = PDR("problem -> answer", workflow, budget="tokens=2k,total=50k")(problem="q")
    assert found.answer in {"0", "1", "2"} and not found.run.failed
    assert found.run.meters.total_generated == model.metrics()["vllm:generation_tokens_total"]
    steps = {step.stage: step.caps.total for step in found.run.plan.steps}
    assert {call.cap for call in model.calls} <= set(steps.values()) | {1}
    # Helpers do not think; the field is vLLM's own.
    assert sum("chat_template_kwargs" in call.body for call in model.calls) == len(found.run.plan.steps) - 2


def test_both_shapes_ask_the_same(model: FakeVLLM, endpoint: Endpoint) -> None:
    asked = []
    for adapter in ADAPTERS:
        model.calls.clear()
        with dspy.context(lm=endpoint.lm, adapter=adapter):
            PDR("problem -> answer", SMALL, budget="tokens=2k")(problem="q")
        asked.append(sorted((c.body["seed"], str(c.messages), c.cap) for c in model.calls))
    assert asked[0] == asked[1]


class Sees(dspy.Signature):
    """Look."""

    picture: dspy.Image = dspy.InputField()
    problem: str = dspy.InputField()
    answer: str = dspy.OutputField()


def test_both_shapes_count_the_same() -> None:
    picture = dspy.Image("data:image/png;base64," + "iVBORw0KGgoA" * 400)
    predictor = dspy.Predict(Sees)
    sizes = []
    for adapter in ADAPTERS:
        with dspy.context(adapter=adapter):
            sizes.append(prompt_size(predictor, Sees, {"picture": picture, "problem": "how many?"}, len))
    assert sizes[0] == sizes[1]
    assert PER_MEDIUM + 2 * PER_MESSAGE < sizes[0] < PER_MEDIUM + 2000


@pytest.mark.parametrize(
    ("prompt", "messages"),
    [
        ([{"role": "user", "content": "a"}], [{"role": "user", "content": "a"}]),
        (Prompt("s", (Message.user("a"),)), [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]),
        (Prompt(None, (Message.assistant("b"),)), [{"role": "assistant", "content": "b"}]),
        (Prompt("", ({"role": "user", "content": "c"},)), [{"role": "user", "content": "c"}]),
    ],
    ids=["dicts", "system", "no system", "mixed"],
)
def test_the_messages_of_a_prompt(prompt: Any, messages: Any) -> None:
    assert messages_of(prompt) == messages


def test_what_is_no_prompt_is_refused() -> None:
    with pytest.raises(TypeError, match="no prompt"):
        messages_of("a text")


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_whole_request_takes_vllms_fields_of_the_lm(is_async: bool, model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = "hello"
    lm = endpoint.lm.copy(repetition_penalty=1.1, min_p=0.1)
    request = Request(
        model=lm.model, messages=(Message.user("hi"),), config=Config(max_tokens=7, extensions={"min_p": 0.5})
    )
    response = asyncio.run(lm.acall(request)) if is_async else lm(request)
    assert response.text == "hello"
    body = model.calls[-1].body
    assert (body["repetition_penalty"], body["min_p"], body["max_tokens"]) == (1.1, 0.5, 7)
