"""The batched sampler against full passes of the model, and against itself alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from experiments.reasoner.model import Reasoner, Shape, to_hf  # noqa: E402
from experiments.training.policy.sampling import draw, log_probabilities  # noqa: E402
from experiments.training.policy.torch_pipeline import TorchPipeline  # noqa: E402
from pdr_dspy.embedded.chat import ChatTokenizer  # noqa: E402
from pdr_dspy.embedded.jobs import Cancel, Job, Progress, Sampling, ThinkingCap, ThinkTokens  # noqa: E402
from pdr_dspy.embedded.scheduler import Scheduler  # noqa: E402

THINK = ThinkTokens(start=716, end=717)
END = frozenset({4})
WARM = Sampling(temperature=0.7)
TOLERANCE = 1e-3


def job(number: int, prompt: Sequence[int], *, sampling: Sampling = WARM, most: int = 60, cap: int | None = 24) -> Job:
    thinking = None if cap is None else ThinkingCap(THINK, cap)
    return Job(number, tuple(prompt), replace(sampling, seed=number), most, END, thinking)


def generate(pipeline: TorchPipeline, jobs: Sequence[Job], slots: int) -> dict[int, tuple[list[int], list[float], str]]:
    """Each job's tokens, log-probabilities and end."""
    scheduler = Scheduler(pipeline, slots, kv_blocks=10**6)
    for one in jobs:
        scheduler.accept(one)
    news: list[Progress] = []
    while not scheduler.idle:
        news += scheduler.step()
    found: dict[int, tuple[list[int], list[float], str]] = {}
    for one in jobs:
        mine = [progress for progress in news if progress.id == one.id]
        tokens = [token for progress in mine for token in progress.tokens]
        assert mine[-1].finish is not None
        found[one.id] = tokens, [value for p in mine for value in p.logprobs], mine[-1].finish
    return found


def full_pass(model: Reasoner, prompt: Sequence[int], made: Sequence[int], temperature: float) -> list[float]:
    """Log-probabilities of a completion's tokens by one pass over everything."""
    with torch.no_grad():
        states, _ = model.hidden_states(torch.tensor([[*prompt, *made]]))
        scores = model.logits(states[0, len(prompt) - 1 : -1]) / temperature
    return scores.log_softmax(-1).gather(1, torch.tensor(made)[:, None]).squeeze(1).tolist()


@pytest.fixture(autouse=True)
def model_has_these_tokens(weights: Path) -> None:
    assert ChatTokenizer(weights).think_tokens == THINK


def test_logprobs_are_those_of_a_full_pass(reasoner: Reasoner, prompts: list[list[int]]) -> None:
    # More jobs than slots, samples of one prompt among them: they join, leave and share at any step.
    jobs = [job(number, prompts[number // 3]) for number in range(30)]
    for number, (tokens, logprobs, _) in generate(TorchPipeline(reasoner, slots=7), jobs, 7).items():
        expected = full_pass(reasoner, jobs[number].prompt, tokens, WARM.temperature)
        forced = tokens.index(THINK.end) if tokens.count(THINK.end) and tokens.index(THINK.end) == 25 else None
        if forced is not None:
            assert logprobs[forced] == 0.0
            expected[forced] = 0.0
        assert logprobs == pytest.approx(expected, abs=TOLERANCE)


def test_same_seed_draws_the_same_alone_and_in_a_batch(reasoner: Reasoner, prompts: list[list[int]]) -> None:
    jobs = [job(number, prompts[number // 4], cap=None) for number in range(24)]
    together = generate(TorchPipeline(reasoner, slots=16), jobs, 16)
    alone = {n: generate(TorchPipeline(reasoner, slots=1), [jobs[n]], 1)[n] for n in range(0, 24, 3)}
    assert all(together[number][0] == found[0] for number, found in alone.items())
    assert len({tuple(tokens) for tokens, *_ in together.values()}) > 18, "other seeds, other tokens"


def test_greedy_takes_the_likeliest_token(reasoner: Reasoner, prompts: list[list[int]]) -> None:
    jobs = [job(n, prompt, sampling=Sampling(temperature=0.0), cap=None) for n, prompt in enumerate(prompts)]
    for number, (tokens, logprobs, _) in generate(TorchPipeline(reasoner, slots=8), jobs, 8).items():
        with torch.no_grad():
            states, _ = reasoner.hidden_states(torch.tensor([[*prompts[number], *tokens]]))
            best = reasoner.logits(states[0, len(prompts[number]) - 1 : -1]).log_softmax(-1).max(-1)
        assert tokens == best.indices.tolist()
        assert logprobs == pytest.approx(best.values.tolist(), abs=TOLERANCE)


def test_thinking_is_closed_at_the_cap(reasoner: Reasoner, prompts: list[list[int]]) -> None:
    jobs = [job(number, prompt, cap=12, most=40) for number, prompt in enumerate(prompts)]
    for tokens, *_ in generate(TorchPipeline(reasoner, slots=5), jobs, 5).values():
        assert tokens[0] == THINK.start and THINK.end in tokens[: 1 + 12 + 1]


def test_ends_at_a_stop_id_and_at_the_last_token(reasoner: Reasoner, prompts: list[list[int]]) -> None:
    pipeline = TorchPipeline(reasoner, slots=2)
    (tokens, _, finish), (short, _, cut) = (
        generate(pipeline, [job(0, prompts[0], most=most)], 2)[0] for most in (200, 5)
    )
    assert finish == "stop" and tokens[-1] in END and not END & set(tokens[:-1])
    assert cut == "length" and short == tokens[:5]


def test_cancelled_sequences_leave_room_and_others_undisturbed(reasoner: Reasoner, prompts: list[list[int]]) -> None:
    jobs = [job(number, prompts[number % 3]) for number in range(6)]
    undisturbed = generate(TorchPipeline(reasoner, slots=6), jobs, 6)
    pipeline = TorchPipeline(reasoner, slots=3)
    scheduler = Scheduler(pipeline, 3, kv_blocks=10**6)
    for one in jobs:
        scheduler.accept(one)
    news = [progress for _ in range(10) for progress in scheduler.step()]
    scheduler.accept(Cancel(1))
    while not scheduler.idle:
        news += scheduler.step()
    assert [progress.finish for progress in news if progress.id == 1][-1] == "abort"
    for number in (0, 2, 3, 4, 5):
        tokens = [token for progress in news if progress.id == number for token in progress.tokens]
        assert tokens == undisturbed[number][0]


def test_new_weights_are_used_from_the_first_token(prompts: list[list[int]], reasoner: Reasoner) -> None:
    shape = Shape(reasoner.shape.vocabulary, width=32, layers=2, heads=2, hidden=64)
    torch.manual_seed(3)
    first, second = Reasoner(shape), Reasoner(shape)
    weights = to_hf(second)
    pipeline = TorchPipeline(first, slots=2)
    before = generate(pipeline, [job(0, prompts[0])], 2)
    pipeline.load(weights)
    after = generate(pipeline, [job(0, prompts[0])], 2)
    assert after == generate(TorchPipeline(second, slots=2), [job(0, prompts[0])], 2) != before


def test_new_weights_wait_for_running_sequences(prompts: list[list[int]]) -> None:
    model = Reasoner(Shape(1000, width=32, layers=1, heads=2, hidden=64))
    pipeline = TorchPipeline(model, slots=1)
    stream = pipeline.add(prompts[0], WARM, 50, frozenset())
    pipeline.step()
    with pytest.raises(RuntimeError, match="1 sequences are being generated"):
        pipeline.load(to_hf(model))
    stream.cancel()
    pipeline.load(to_hf(model))


@pytest.mark.parametrize("field", ["top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"])
def test_what_it_can_not_do_is_named(reasoner: Reasoner, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        TorchPipeline(reasoner, slots=1).add([1, 2], replace(WARM, **{field: 0.5}), 5, END)


def test_longer_than_the_context_is_named(reasoner: Reasoner) -> None:
    with pytest.raises(ValueError, match="max_tokens"):
        TorchPipeline(reasoner, slots=1).add([1] * 2000, WARM, 49, END)


def test_draws_follow_the_distribution() -> None:
    scores = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    logprobs = log_probabilities(scores, torch.tensor([0.5]), torch.tensor([3]))
    assert logprobs[0].tolist() == pytest.approx([*torch.tensor([0.0, 2.0, 4.0]).log_softmax(0).tolist(), -torch.inf])
    grid = (torch.arange(10000, dtype=torch.float64) + 0.5) / 10000
    shares = draw(logprobs.expand(10000, -1), grid).bincount(minlength=4) / 10000
    assert shares.tolist() == pytest.approx(logprobs[0].exp().tolist(), abs=1e-3)
