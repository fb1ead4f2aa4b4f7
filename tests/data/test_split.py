"""The split between what is searched on and what is reported on."""

from __future__ import annotations

from collections.abc import Callable

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import Dataset, Problem, load_data, make_grader, side_of, split
from pdr_dspy.errors import DataError

SIGNATURE = dspy.Signature("problem -> answer")


def dataset(texts: list[str]) -> Dataset:
    problems = tuple(Problem(str(i), {"problem": text}, "1") for i, text in enumerate(texts))
    return Dataset("d", SIGNATURE, problems, make_grader("exact"))


@given(st.permutations([f"problem {i}" for i in range(40)]), st.integers(20, 40))
def test_sides_do_not_depend_on_order_or_on_the_rest(texts: list[str], count: int) -> None:
    reference = {p.inputs["problem"] for p in split(dataset([f"problem {i}" for i in range(40)]))[1].problems}
    search, report = split(dataset(texts[:count]))
    assert len(search) + len(report) == count
    assert {p.inputs["problem"] for p in report.problems} == reference & set(texts[:count])


def test_share_and_salt() -> None:
    data = dataset([f"problem {i}" for i in range(1000)])
    assert 150 < len(split(data, report_share=0.2)[1]) < 250
    assert split(data)[1].problems != split(data, salt="other")[1].problems
    assert set(p.id for p in split(data, report_share=0.2)[1].problems) < set(p.id for p in split(data)[1].problems)


def test_copies_of_a_problem_fall_on_one_side() -> None:
    assert len({side_of(Problem(str(i), {"problem": "same"}, str(i))) for i in range(5)}) == 1


STORY = "Anna walks to the old market with {} coins and buys some apples for her sister, who lives in the next village."


@pytest.mark.parametrize(
    "other",
    [
        lambda text: text + " ",
        lambda text: text + "\n",
        lambda text: text.rstrip("?"),
        lambda text: text.replace(" ", "  ", 1),
        str.upper,
        lambda text: f"**{text}**",
    ],
)
def test_writing_a_problem_down_in_another_way_leaves_it_where_it_is(other: Callable[[str], str]) -> None:
    for number in range(100):
        text = f"what is {number} + 1?"
        assert side_of(Problem("a", {"problem": text})) == side_of(Problem("b", {"question": other(text)}))


def test_near_duplicates_stay_on_one_side() -> None:
    texts = [STORY.format(number) for number in range(60)]
    search, report = split(dataset([*texts, *(text.replace("old", "new") for text in texts)]))
    assert {int(p.id) % 60 for p in search.problems}.isdisjoint(int(p.id) % 60 for p in report.problems)
    # Without a near-duplicate each is on the side that it is on alone.
    assert all(side_of(p) == "search" for p in split(dataset(texts))[0].problems)


def test_numbers_alone_part_problems_about_evenly() -> None:
    search, report = split(dataset([STORY.format(number) for number in range(1000)]))
    assert 420 < len(search) < 580 and len(search) + len(report) == 1000
    assert 150 < len(split(dataset([f"What is {n} + 1?" for n in range(1000)]), report_share=0.2)[1]) < 250


def test_copies_of_a_problem_follow_the_side_that_it_names() -> None:
    texts = [STORY.format(number) for number in range(40)]
    named = [Problem(f"n{i}", {"problem": t}, "1", extra={"split": "report"}) for i, t in enumerate(texts[:20])]
    free = [Problem(f"f{i}", {"problem": t.replace("old", "new")}, "1") for i, t in enumerate(texts)]
    search, report = split(dataset(["x"]).with_problems([*named, *free]))
    assert {f"f{i}" for i in range(20)} < {p.id for p in report.problems} and len(search) > 0


def test_the_rule_of_older_studies_is_kept() -> None:
    # Sides that the first rule gave these texts.
    old = [side_of(Problem("a", {"problem": f"problem {i}"}), rule=1) for i in range(8)]
    assert old == ["search", "search", "search", "search", "report", "report", "search", "report"]
    search, _ = split(dataset([f"problem {i}" for i in range(8)]), rule=1)
    assert [int(p.id) for p in search.problems] == [i for i, side in enumerate(old) if side == "search"]


def test_worksheets_stay_on_their_declared_side() -> None:
    search, report = split(load_data("worksheets:count=20"))
    assert {p.extra["split"] for p in search.problems} == {"search"} and len(search) == 10
    assert {p.extra["split"] for p in report.problems} == {"report"}


def test_an_empty_side_is_an_error() -> None:
    with pytest.raises(DataError, match=r"on the (report|search) side"):
        split(dataset(["one"]))
    with pytest.raises(DataError, match="report_share"):
        split(dataset(["one"]), report_share=1)


def test_a_dataset_has_problems_with_ids_of_their_own() -> None:
    with pytest.raises(DataError, match="no problems"):
        dataset([])
    with pytest.raises(DataError, match="twice"):
        dataset(["a"]).with_problems([Problem("1", {}), Problem("1", {})])


def test_subset_keeps_the_order() -> None:
    data = dataset(["a", "b", "c"])
    assert [p.id for p in data.subset(["2", "0"]).problems] == ["0", "2"]
    assert len(data.head(2)) == 2
    with pytest.raises(DataError, match="'9'"):
        data.subset(["9"])
