"""The model asked plainly: what is sent, and how generously the text is read."""

from __future__ import annotations

import pytest
from fakes.vllm import FakeVLLM, Reply

from experiments.real.plainly import ask_plainly, right_if_read_generously
from experiments.real.problems import Easy, read_problems

SUM = Easy("sum00", "sum", "What is 9 + 8?", "17")
READ = Easy(
    "read00", "read", "The left shelf has 20 books. The long shelf has 9 books. How many are on the long one?", "9"
)
WHO = Easy("who00", "who", "Mary is a doctor. Paul is a singer. What is the name of the singer?", "Paul")
CAPITAL = Easy("capital00", "capital", "What is the capital of Peru?", "Lima")


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (SUM, "9 + 8 = 17"),
        (SUM, "The sum is 17. Here are 3 more examples:\n1 + 1 = 2"),
        (SUM, "We count on from 9, 8 times.\n\n**Answer:** 17\n\nAnother: 5"),
        (READ, "The long shelf has 9 books."),
        (READ, "There are 20 and 9 books. So the long shelf has 9."),
        (WHO, "Mary is a doctor and Paul is a singer. The singer is Paul."),
        (WHO, "Paul."),
        (CAPITAL, "Peru is a country. Its capital is lima, and it is large."),
    ],
)
def test_any_reasonable_reading_counts(problem: Easy, text: str) -> None:
    assert right_if_read_generously(problem, text)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (SUM, "9 + 8 = 18"),
        (SUM, "17 is less than 18"),
        (READ, "The left shelf has 20 books, the long shelf 9, 29 in all."),
        (WHO, "The singer is Mary."),
        (WHO, "It is Mary, not Paul."),
        (WHO, "Pauline."),
        (CAPITAL, "The capital is Cusco."),
        (CAPITAL, ""),
    ],
)
def test_what_is_not_the_answer_does_not(problem: Easy, text: str) -> None:
    assert not right_if_read_generously(problem, text)


def test_the_bare_problems_are_what_is_sent_and_the_texts_keep_their_order(fake_vllm: FakeVLLM) -> None:
    problems = read_problems()[:7]
    fake_vllm.answer = lambda call: Reply(f"asked: {call.prompt}", delay=0.01 * (call.number % 3))
    texts = ask_plainly(fake_vllm.url, "fake-model", problems, max_tokens=99, load=3)
    assert texts == [f"asked: {p.problem}" for p in problems]
    assert all(len(c.messages) == 1 and c.body["temperature"] == 0 and c.cap == 99 for c in fake_vllm.calls)
    assert fake_vllm.max_in_flight <= 3
