"""The batched sampler says what the model would say one sequence at a time, and closes the thinking as it is served."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from experiments.reasoner.data import Generator
from experiments.reasoner.export import write_hf
from experiments.reasoner.model import Reasoner
from experiments.reasoner.templates import OBJECTIVE, adapter_messages
from experiments.reasoner.tokenizer import chat_text
from experiments.training.operator_sft.reading import said
from experiments.training.operator_sft.sampler import Completion, Marks, Request, generate
from experiments.training.operator_sft.states import Caller
from experiments.training.policy.weights import reasoner_of
from pdr_dspy.workflow import Stage

from .support import PROBLEM, RIGHT, UNUSED, WEIGHTS, draft

COLD = 1e-4


@pytest.fixture(scope="module")
def caller() -> Caller:
    torch.set_num_threads(1)
    return Caller(reasoner_of(WEIGHTS), Generator.load(WEIGHTS / "tokenizer.json"))


def alone(model: Reasoner, marks: Marks, request: Request) -> list[int]:
    """Greedy decoding by whole forward passes."""
    ids: list[int] = []
    thought, inside = 0, False
    while len(ids) < request.most and (not ids or ids[-1] != marks.end):
        with torch.inference_mode():
            states, _ = model.hidden_states(torch.tensor([[*request.prompt, *ids]]))
            token = int(model.logits(states[0, -1]).argmax())
        if inside and request.thinking is not None and thought >= request.thinking:
            token = marks.thinking.end
        inside = token == marks.thinking.start if not ids else inside and token != marks.thinking.end
        thought += inside and bool(ids)
        ids.append(token)
    return ids


def test_batches_decode_as_single_sequences_do(caller: Caller) -> None:
    notes = "\n".join([RIGHT["A"], UNUSED, "C: open"])
    requests = [
        Request(caller.prompt("draft", [PROBLEM]), 60, 20),
        Request(caller.prompt("refine", [PROBLEM, notes]), 90, 30),
        Request(caller.prompt("refine", [PROBLEM, notes]), 25, 30),
        Request(caller.prompt("distill", [PROBLEM, draft(RIGHT["A"]), "96"]), 60),
        Request(caller.prompt("draft", [PROBLEM]), 60, 20),
    ]
    for slots in (2, 8):
        found = generate(caller.model, caller.marks, requests, COLD, 0, slots)
        for request, completion in zip(requests, found, strict=True):
            expected = alone(caller.model, caller.marks, request)
            ended = expected[-1] == caller.marks.end
            assert completion == Completion(tuple(expected[: len(expected) - ended]), ended)


def test_thinking_is_cut_and_closed_and_the_cap_counts_everything(caller: Caller) -> None:
    requests = [Request(caller.prompt("draft", [PROBLEM]), 40, 10)] * 6
    for completion in generate(caller.model, caller.marks, requests, 0.6, 1):
        assert completion.ids[0] == caller.marks.thinking.start
        assert completion.ids.index(caller.marks.thinking.end) <= 11
        assert len(completion.ids) <= 40
        assert completion.ended or len(completion.ids) == 40
        text = said(caller.generator.tokenizer, caller.marks, completion)
        behind = completion.ids[completion.ids.index(caller.marks.thinking.end) + 1 :]
        assert text == caller.generator.tokenizer.decode(list(behind), skip_special_tokens=False)


def test_a_call_that_does_not_fit_is_not_answered_and_the_others_are(caller: Caller) -> None:
    prompt = caller.prompt("draft", [PROBLEM])
    small = Request(prompt, 12, 4)
    found = caller.ask([small, Request(prompt, 2048), small, Request(prompt * 100, 12)], 0.6, 1)
    assert [bool(completion.ids) for _, completion in found] == [True, False, True, False]
    assert found[1] == found[3] == ("", Completion((), False))


def test_the_seed_decides_and_samples_of_one_prompt_differ(caller: Caller) -> None:
    requests = [Request(caller.prompt("draft", [PROBLEM]), 40, 30)] * 4
    one, again, other = (generate(caller.model, caller.marks, requests, 0.6, seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert len({item.ids for item in one}) > 1


@pytest.mark.parametrize(
    ("stage", "inputs"),
    [
        ("draft", {}),
        ("refine", {"workspace": RIGHT["A"]}),
        ("distill", {"drafts": f'<draft id="1">\n{draft(RIGHT["A"])}\n</draft>', "limit": 96}),
        ("pick", {"drafts": f'<draft id="1">\n{draft(UNUSED)}\n</draft>', "count": 1}),
        ("analyse", {"draft": draft(RIGHT["B"])}),
    ],
)
def test_prompts_are_the_librarys(caller: Caller, stage: Stage, inputs: dict[str, object]) -> None:
    prompts = caller.generator.prompts
    system, user = adapter_messages(
        stage, prompts.instructions[stage]["default"], {"problem": PROBLEM, **inputs}, OBJECTIVE
    )
    expected = caller.generator.tokenizer.encode(
        chat_text(system["content"], user["content"]), add_special_tokens=False
    ).ids
    assert list(caller.prompt(stage, [PROBLEM, *map(str, inputs.values())])) == expected


def test_weights_come_back_from_the_folder_they_are_written_to(caller: Caller, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    write_hf(caller.model, WEIGHTS, folder)
    back = reasoner_of(folder).state_dict()
    for name, tensor in caller.model.state_dict().items():
        assert torch.equal(back[name], tensor)  # the shipped ones are rounded already
    for name in ("config.json", "tokenizer.json"):
        assert (folder / name).exists()
