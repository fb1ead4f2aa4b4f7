"""Rollouts are runs of the library: the same calls to the token, as groups with one prompt."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import dspy
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import AutoModelForCausalLM  # noqa: E402

from experiments.training.measure_signal import log_probabilities  # noqa: E402
from experiments.training.policy.serving import serving  # noqa: E402
from experiments.training.policy.torch_pipeline import TorchPipeline  # noqa: E402
from experiments.training.policy.weights import reasoner_of  # noqa: E402
from experiments.training.rollouts import (  # noqa: E402
    Recorded,
    RecordingTransport,
    Rollout,
    Rollouts,
    Shape,
    open_policy,
    reward_of,
)
from experiments.training.rollouts.exchanges import SharedDrafts  # noqa: E402
from pdr_dspy import bridge  # noqa: E402
from pdr_dspy.calls import CallTag, current_tag, tagged  # noqa: E402
from pdr_dspy.data import load_data  # noqa: E402
from pdr_dspy.data.worksheets import lines_solved, worksheet_correct  # noqa: E402
from pdr_dspy.embedded.chat import ChatTokenizer  # noqa: E402
from pdr_dspy.endpoint import Endpoint, EndpointSettings, MemoryStore  # noqa: E402
from pdr_dspy.endpoint.retry import Failure  # noqa: E402
from pdr_dspy.endpoint.transport import Transport  # noqa: E402
from pdr_dspy.errors import DataError  # noqa: E402
from pdr_dspy.ledger import open_ledger  # noqa: E402
from pdr_dspy.modules import PDR  # noqa: E402

SHIPPED = Path(__file__).parents[3] / "pdr_dspy" / "embedded" / "weights"
TOKENIZER = ChatTokenizer(SHIPPED)
SHAPE = Shape(
    group=4,
    drafts=3,
    trace={"thinking": 120, "answer": 80},
    draft={"thinking": 60, "answer": 60},
    refine={"thinking": 80, "answer": 80},
    workspace=64,
    sampling={"temperature": 0.6},
)
DATA = load_data("worksheets:lines=2,count=100,split=train,seed=3")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(TorchPipeline(reasoner_of(SHIPPED), slots=64), SHIPPED, slots=64) as address:
        yield address


class Bodies(RecordingTransport):
    """Keeps the requests, too."""

    kept: list[tuple[CallTag, Mapping[str, Any], Mapping[str, Any]]]

    async def send(self, url: str, body: Mapping[str, Any]) -> dict[str, Any] | Failure:
        answer = await super().send(url, body)
        assert not isinstance(answer, Failure)
        self.kept.append((current_tag(), body, answer))
        return answer


def opened(url: str, shape: Shape = SHAPE, reward: Any = "answer") -> tuple[Endpoint, Rollouts]:
    recorded, shared = Recorded(), SharedDrafts()
    endpoint = open_policy(EndpointSettings((url,), load=64), recorded, shared)
    assert TOKENIZER.think_tokens is not None
    judge = reward_of(reward, DATA)
    return endpoint, Rollouts(endpoint, recorded, shared, DATA, shape, judge, TOKENIZER.think_tokens)


def drawn(url: str, mode: Any, number: int = 0, reward: Any = "answer") -> tuple[list[Rollout], Counter[str]]:
    endpoint, rollouts = opened(url, reward=reward)
    stages: Counter[str] = Counter()
    with endpoint:

        async def one() -> list[Rollout]:
            with open_ledger() as ledger:
                found = await rollouts.group(mode, DATA.problems[number], seed=11)
            stages.update(record.stage for record in ledger.records if not record.replayed)
            return found

        return bridge.run(one()), stages


@pytest.mark.parametrize("mode, stage", [("trace", "draft"), ("operator", "refine"), ("distill", "distill")])
def test_a_group_has_one_prompt_and_as_many_rollouts_as_it_is_wide(url: str, mode: str, stage: str) -> None:
    group, stages = drawn(url, mode)
    assert len(group) == SHAPE.group
    assert {row.mode for row in group} == {mode}
    assert len({row.tokens.prompt for row in group}) == 1
    assert len({row.tokens.completion for row in group}) > 1
    expected = {
        "trace": {"draft": 4},
        "operator": {"draft": 3, "distill": 1, "refine": 4},
        "distill": {"draft": 3, "distill": 4, "refine": 4},  # the drafts are drawn once
    }
    assert stages == expected[mode]
    text = TOKENIZER.decode(group[0].tokens.prompt, skip_special_tokens=False)
    assert DATA.problems[0].inputs["problem"] in text
    assert ("workspace" in text) == (mode != "trace")


def test_only_the_close_at_the_cap_is_forced(url: str) -> None:
    think = TOKENIZER.think_tokens
    assert think is not None
    forced = 0
    for number in range(6):
        for row in drawn(url, "trace", number)[0]:
            for place, counts in enumerate(row.tokens.mask):
                if not counts:
                    assert row.tokens.completion[place] == think.end
                    assert place == 1 + 120  # <think>, and as many tokens as it was allowed
                    forced += 1
    assert forced


def test_the_samplers_log_probabilities_are_the_models(url: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32)
    for mode in ("trace", "operator", "distill"):
        group, _ = drawn(url, mode)
        with torch.no_grad():
            found, mask = log_probabilities(model, group, temperature=0.6)
        for place, row in enumerate(group):
            said = torch.tensor(row.tokens.log_probs)
            own = found[place, : len(said)]
            counts = mask[place, : len(said)].bool()
            assert torch.allclose(own[counts], said[counts], atol=2e-3)


def test_a_models_own_filters_of_its_distribution_are_off(tmp_path: Path) -> None:
    """A `generation_config.json` with top_k would make the sampler draw from another policy than is trained."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "pdr.json"):
        shutil.copy(SHIPPED / name, tmp_path / name)
    (tmp_path / "generation_config.json").write_text('{"top_k": 1, "temperature": 0.2, "eos_token_id": 4}')
    with serving(TorchPipeline(reasoner_of(SHIPPED), slots=64), tmp_path, slots=64) as address:
        group, _ = drawn(address, "trace")
    assert len({row.tokens.completion for row in group}) > 1  # the likeliest tokens alone would be the same
    assert min(value for row in group for value in row.tokens.log_probs) < -0.5


def test_rewards_are_the_graders(url: str) -> None:
    by_answer = [row for number in range(6) for row in drawn(url, "operator", number)[0]]
    assert {row.reward for row in by_answer} == {1.0, -1.0}
    assert all(row.right == (row.reward == 1.0) for row in by_answer)
    by_parts = [row for number in range(6) for row in drawn(url, "operator", number, reward="parts")[0]]
    assert [row.right for row in by_parts] == [row.right for row in by_answer]  # the same draws
    assert {row.reward for row in by_parts} <= {-1.0, 0.0, 1.0}
    for number in range(6):
        problem = DATA.problems[number].inputs["problem"]
        for row in by_parts[number * 4 : number * 4 + 4]:
            text = TOKENIZER.decode(row.tokens.completion).rpartition("answer ## ]]")[2].replace("[[ ## completed", "")
            if row.right:
                assert worksheet_correct(problem, text.rstrip(" #]"))
            else:
                assert lines_solved(problem, text.rstrip(" #]")) < 2


def test_parts_are_refused_where_problems_have_none(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"problem": "1 + 1", "answer": "2"}\n')
    with pytest.raises(DataError) as error:
        reward_of("parts", load_data(str(tmp_path / "p.jsonl")))
    assert error.value.field == "reward"


def test_a_hundred_runs_are_those_of_inference_to_the_token(url: str) -> None:
    """What was drawn for training answers every call of the same program at inference: each has the same key, and no
    request is left to send. Prompt and completion are the server's tokens of the very messages."""
    store, recorded = MemoryStore(), Recorded()
    Bodies.kept = []
    settings = EndpointSettings((url,), load=64)
    shape = SHAPE.model_copy(update={"group": 2, "drafts": 2})
    workflow = shape.workflow("operator")
    endpoint = Endpoint.open(settings, store, transport=partial(Bodies, recorded=recorded))
    rollouts = Rollouts(endpoint, recorded, SharedDrafts(), DATA, shape, reward_of("answer", DATA), None)
    with endpoint:

        async def every() -> list[list[Rollout]]:
            return await asyncio.gather(*(rollouts.group("operator", problem, 5) for problem in DATA.problems))

        groups = bridge.run(every())
    assert len(groups) == 100
    for _, body, answer in Bodies.kept:
        asked = TOKENIZER.encode(TOKENIZER.render(body["messages"]))
        assert answer["prompt_token_ids"] == asked
        assert answer["usage"]["prompt_tokens"] == len(asked)
        ids = answer["choices"][0]["provider_specific_fields"]["token_ids"]
        assert answer["usage"]["completion_tokens"] == len(ids)

    class Silent(Transport):
        async def send(self, url: str, body: Mapping[str, Any]) -> dict[str, Any] | Failure:
            raise AssertionError(f"asked anew: {body}")

    inference = Endpoint.open(settings, store, transport=Silent)
    tokens = {row.tokens for group in groups for row in group}
    of_refinements = set()
    with inference, dspy.context(lm=inference.lm):
        for problem in DATA.problems:
            with tagged(CallTag(problem=problem.id)):
                record = PDR(DATA.signature, workflow, seed=5)(**problem.inputs).run
            assert record.meters.total_generated > 0
    for tag, _, answer in Bodies.kept:
        if tag.stage == "refine":
            ids = answer["choices"][0]["provider_specific_fields"]["token_ids"]
            of_refinements.add((tuple(answer["prompt_token_ids"]), tuple(ids)))
    assert {(row.prompt, row.completion) for row in tokens} == of_refinements
