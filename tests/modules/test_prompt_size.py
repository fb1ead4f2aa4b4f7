"""What a prompt counts as: its text, and a fixed number of tokens for an image, however it is sent."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, get_args

import dspy
import pytest
from fakes.stages import fields
from fakes.vllm import FakeVLLM

from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import ContextOverflow
from pdr_dspy.formats import adapter
from pdr_dspy.modules import PDR
from pdr_dspy.modules.fitting import readable
from pdr_dspy.modules.prompt_size import PER_MEDIUM, PER_MESSAGE, content_size, prompt_size
from pdr_dspy.workflow import Format
from pdr_dspy.workspace import ByteTokenizer

COUNT = ByteTokenizer().count
ENCODED = base64.b64encode(bytes(60_000)).decode()
PICTURE = dspy.Image(f"data:image/png;base64,{ENCODED}")
SMALL = dspy.Image(f"data:image/png;base64,{ENCODED[:400]}")


class Reads(dspy.Signature):
    """Read drafts beside a picture."""

    picture: dspy.Image = dspy.InputField()
    drafts: str = dspy.InputField()
    workspace: str = dspy.OutputField()


class Counts(dspy.Signature):
    """Count what is in a picture."""

    picture: dspy.Image = dspy.InputField()
    answer: str = dspy.OutputField()


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        ("héllo", 6),
        ([], 0),
        ([{"type": "text", "text": "four"}, {"type": "text", "text": "x"}], 5),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": ENCODED}}], 1 + PER_MEDIUM),
        ([{"type": "input_audio", "input_audio": {"data": ENCODED, "format": "wav"}}] * 2, 2 * PER_MEDIUM),
        ([{"type": "file", "file": {"file_data": ENCODED}}], PER_MEDIUM),
        ([{"type": "document", "source": "abc"}], len('{"type": "document", "source": "abc"}')),
        (["abc"], 3),
    ],
)
def test_text_is_counted_and_media_are_a_fixed_number(content: Any, tokens: int) -> None:
    assert content_size(content, COUNT) == tokens


@pytest.mark.parametrize("name", get_args(Format))
def test_an_image_counts_alike_however_many_bytes_it_has(name: Format) -> None:
    predictor = dspy.Predict(Reads)
    with dspy.context(adapter=adapter(name)):
        large = prompt_size(predictor, Reads, {"picture": PICTURE, "drafts": "d"}, COUNT)
        small = prompt_size(predictor, Reads, {"picture": SMALL, "drafts": "d"}, COUNT)
        more = prompt_size(predictor, Reads, {"picture": SMALL, "drafts": "dd" * 50}, COUNT)
        predictor.demos = [dspy.Example(picture=PICTURE, drafts="d", workspace="w")]
        shown = prompt_size(predictor, Reads, {"picture": PICTURE, "drafts": "d"}, COUNT)
    assert large == small == more - 99
    assert PER_MEDIUM + PER_MESSAGE < large < PER_MEDIUM + 4000
    assert large + PER_MEDIUM < shown < 2 * PER_MEDIUM + 8000


@pytest.mark.parametrize("context", [8192, 7000, None])
def test_drafts_have_room_beside_an_image(context: int | None) -> None:
    drafts = [f"draft {i} " + "word " * 20 for i in range(8)]

    async def read(context: int | None) -> Any:
        return await readable(
            drafts,
            lambda text: {"picture": PICTURE, "drafts": text},
            dspy.Predict(Reads),
            Reads,
            cap=512,
            context=context,
            tokenizer=ByteTokenizer(),
        )

    assert all(draft in asyncio.run(read(context))["drafts"] for draft in drafts)
    with pytest.raises(ContextOverflow):  # the image itself has no room
        asyncio.run(read(PER_MEDIUM))


def test_an_image_does_not_exhaust_a_total_budget(model: FakeVLLM, endpoint: Endpoint) -> None:
    text = fields(solution="one, two, three", answer="3", workspace="all say 3")
    model.answer = lambda call: text
    program = PDR(Counts, "programs/pdr_small.yaml", budget="tokens=2k,total=60k")
    with dspy.context(lm=endpoint.lm):
        prediction = program(picture=PICTURE)
    assert prediction.answer == "3" and not prediction.run.failed
    assert len(model.calls) == 10
    assert all(ENCODED in str(call.messages) for call in model.calls)
