"""What is said of a measured workflow: how answers were read, what was lost, what it took."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fakes.vllm import Call, FakeVLLM

from experiments.real.measure import HEAD, easy_data, plainly, table, through_the_library
from pdr_dspy.endpoint import Endpoint, EndpointSettings, MemoryStore

MARKED, SENTENCE, REFUSED = (
    "Surely.\n\nAnswer: 15",
    "The long shelf has 15 books.",
    "I'm sorry, I can't help with that.",
)


@pytest.fixture
def model(start_fake: Callable[..., FakeVLLM]) -> FakeVLLM:
    """A server whose model's card recommends nothing, so that it is asked in the default format."""
    fake = start_fake()
    fake.card = {}
    return fake


def drafts_say(model: FakeVLLM, *texts: str) -> None:
    """Each draft of a problem says one of the texts in turn; helpers and refinements do their part."""
    seen: dict[str, int] = {}

    def answer(call: Call) -> str:
        if "Choose the best" in call.prompt:
            return "1, 2"
        if "Drafts:" in call.prompt or "Notes from" in call.prompt:
            return MARKED
        seen[call.prompt] = seen.get(call.prompt, -1) + 1
        return texts[seen[call.prompt] % len(texts)]

    model.answer = answer


def test_what_was_read_leniently_and_what_could_not_be_read_are_shares_of_all_that_was_written(
    model: FakeVLLM,
) -> None:
    drafts_say(model, MARKED, MARKED, MARKED, SENTENCE, SENTENCE, REFUSED)
    with Endpoint.open(EndpointSettings((model.url,))) as endpoint:
        _, data = easy_data()
        found = through_the_library(endpoint, "majority", data.head(2))
    assert found.lenient == pytest.approx(2 / 5)
    assert found.unreadable == pytest.approx(1 / 6)
    assert found.right == (True, False)  # the second problem's answer is another one


def test_a_problem_without_any_answer_counts_as_unreadable(model: FakeVLLM) -> None:
    drafts_say(model, REFUSED)
    with Endpoint.open(EndpointSettings((model.url,))) as endpoint:
        _, data = easy_data()
        found = through_the_library(endpoint, "majority", data.head(2))
    assert (found.unreadable, found.lenient, found.right) == (1.0, 0.0, (False, False))


def test_workflows_that_begin_alike_share_their_drafts(model: FakeVLLM) -> None:
    drafts_say(model, MARKED)
    with Endpoint.open(EndpointSettings((model.url,), thinking="off"), MemoryStore()) as endpoint:
        _, data = easy_data()
        found = {name: through_the_library(endpoint, name, data.head(2)) for name in ("majority", "pdr", "top")}
    sent = {name: [r for r in row.records if not r.replayed and r.stage != "probe"] for name, row in found.items()}
    assert {name: len(calls) for name, calls in sent.items()} == {"majority": 12, "pdr": 4, "top": 4}


def test_the_table_has_a_row_for_each_and_the_model_asked_plainly_first(model: FakeVLLM) -> None:
    drafts_say(model, MARKED)
    problems, data = easy_data()
    with Endpoint.open(EndpointSettings((model.url,), thinking="off"), MemoryStore()) as endpoint:
        long = through_the_library(endpoint, "long_cot", data.head(2))
        each = model.completion_tokens // 2
        plain = plainly(endpoint, problems[:2], max_tokens=long.cap)
    lines = table(plain, [long])
    assert len(lines) == 4 and all(line.count("|") == len(HEAD) + 1 for line in lines)
    assert re.match(r"\| asked plainly, read generously \| 50\.0 \[", lines[2])
    assert re.match(rf"\| long_cot \| 50\.0 \[[^|]* \| 0\.0 \| 0\.0 \| 0 \| {each} \| {each} \|", lines[3])
    assert model.calls[-1].cap == long.cap == 128
