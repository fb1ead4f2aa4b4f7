"""The easy problems: what the file holds is what the generator makes, and every answer is the right one."""

from __future__ import annotations

import re
from collections import Counter

from experiments.real.measure import easy_data
from experiments.real.problems import EACH, FILE, Easy, as_lines, easy_problems, read_problems


def solved(problem: Easy) -> str:
    """The answer, worked out from the problem's text."""
    if problem.kind == "sum":
        return str(sum(map(int, re.findall(r"\d+", problem.problem))))
    if problem.kind == "read":
        (place,) = re.findall(r"does the (\w+) shelf", problem.problem)
        return re.findall(rf"The {place} shelf has (\d+) books\.", problem.problem)[0]
    (work,) = re.findall(r"name of the (\w+)\?", problem.problem)
    return re.findall(rf"(\w+) is a {work}\.", problem.problem)[0]


def test_the_file_is_what_the_generator_writes() -> None:
    assert FILE.read_text(encoding="utf-8") == as_lines(easy_problems())


def test_there_are_as_many_of_each_kind_and_none_twice() -> None:
    problems = read_problems()
    assert Counter(p.kind for p in problems) == dict.fromkeys(("capital", "sum", "read", "who"), EACH)
    assert len({p.problem for p in problems}) == len({p.id for p in problems}) == len(problems)


def test_the_answers_follow_from_the_problems() -> None:
    told = [p for p in read_problems() if p.kind != "capital"]
    assert [p.answer for p in told] == [solved(p) for p in told]


def test_the_data_set_has_the_problems_in_the_same_order() -> None:
    problems, data = easy_data()
    assert [p.problem for p in problems] == [p.inputs["problem"] for p in data.problems]
    assert [p.answer for p in problems] == [p.answer for p in data.problems]
