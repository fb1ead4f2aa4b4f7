"""Who is compared with whom, and whether a claim holds."""

from __future__ import annotations

import pytest

from experiments.questions.choose import Standing, best, judged, matched, pairings, verdict
from experiments.questions.parts import Claim, FrontierPart
from pdr_dspy.evaluation import Difference, Interval


def standing(name: str, accuracy: float, path: float, family: str = "long_cot") -> Standing:
    return Standing(name, family, accuracy, {"seq_generated": path, "b_total": 2 * path})


COTS = [standing("a", 0.2, 100), standing("b", 0.5, 200), standing("c", 0.5, 300)]


def test_the_best_is_the_most_accurate_and_of_equals_the_shorter() -> None:
    assert best(COTS).name == "b"


@pytest.mark.parametrize(("target", "name"), [(50, "a"), (100, "a"), (101, "b"), (250, "c"), (999, "c")])
def test_a_rival_never_has_fewer_tokens_unless_none_has_as_many(target: float, name: str) -> None:
    assert matched(target, COTS, "seq_generated").name == name


def test_claims_are_resolved_by_the_search_split() -> None:
    strategy = {"name": "x", "rounds": [{"width": 1}]}
    claims = [
        {"says": "1", "strategy": "pdr", "against": "long_cot", "meter": "seq_generated"},
        {"says": "2", "strategy": "p2", "against": "long_cot"},
        {"says": "3", "strategy": "long_cot", "least": 45.0},
        {"says": "4", "strategy": "a", "against": "q", "meter": "b_total"},
    ]
    names = {"long_cot": ["a", "b", "c"], "pdr": ["p1", "p2", "q"]}
    families = {family: [{**strategy, "name": n} for n in members] for family, members in names.items()}
    part = FrontierPart.model_validate({"set": "P", "search": 1, "report": 1, "families": families, "claims": claims})
    levels = [standing("q-8k", 0.1, 10, "pdr"), standing("q-16k", 0.2, 20, "pdr")]
    pdrs = [standing("p1", 0.4, 90, "pdr"), standing("p2", 0.9, 150, "pdr"), *levels]
    pairs = [(p.name, p.rival) for p in pairings(part, [*COTS, *pdrs])]
    assert pairs == [("p2", "b"), ("p2", "b"), ("b", None), ("a", "q-16k")]


@pytest.mark.parametrize(
    ("value", "low", "high", "least", "most", "said"),
    [
        (50, 46, 60, 45, 70, "yes"),
        (50, 40, 60, 45, 70, "yes, but not the whole interval"),
        (44, 40, 60, 45, 70, "no"),
        (71, 66, 75, 45, 70, "no"),
        (0, 0, 0, 0, None, "no"),  # level is not above
        (2, 0, 4, 0, None, "yes, but not the whole interval"),
        (2, 1, 4, 0, None, "yes"),
    ],
)
def test_a_claim_holds_with_its_interval_or_without(
    value: float, low: float, high: float, least: float | None, most: float | None, said: str
) -> None:
    assert verdict(value, Interval(low, high), least, most) == said


def test_a_claim_with_a_rival_is_judged_by_the_paired_difference_in_points() -> None:
    claim = Claim(says="x", strategy="a", against="b", least=15.0)
    won = Difference(0.2, Interval(0.16, 0.24), 100, 30, 10)
    assert judged(claim, 0.1, Interval(0.0, 0.2), won) == "yes"
    assert judged(claim, 0.9, Interval(0.8, 1.0), Difference(0.1, Interval(0.05, 0.2), 9, 2, 1)) == "no"
    assert judged(Claim(says="x", strategy="a", least=45.0, most=70.0), 0.5, Interval(0.46, 0.54), None) == "yes"
