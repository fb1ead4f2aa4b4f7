"""What a configuration says, and what is wrong with one that can't be run."""

from __future__ import annotations

import pytest
from support import SMALL

from experiments.configuration import ConfigError
from experiments.questions import training
from experiments.questions.config import known_configs, load_config, parse_config
from experiments.questions.strategies import at_levels, cells
from pdr_dspy.budget import Budget
from pdr_dspy.workflow import Top, plan

TWICE = """\
    - set: P
      problems: 4
      strategies: [&c {name: cot, rounds: [{width: 1}]}, {<<: *c, name: vote}, {<<: *c, name: pdr}]
"""


@pytest.mark.parametrize("name", known_configs())
def test_a_configuration_that_comes_along_can_be_planned(name: str) -> None:
    config = load_config(name)
    assert config.name == name
    for part in config.frontier:
        for family in part.families.values():
            for workflow in at_levels(config, part.set, family):
                assert plan(workflow, Budget()).calls >= 1
    assert all(cell.workflow.sampling == config.sampling for cell in cells(config, config.distillers))


@pytest.mark.parametrize(("name", "year"), [("aime24", "AIME2024"), ("aime25", "AIME2025")])
def test_the_papers_own_settings(name: str, year: str) -> None:
    config = load_config(name)
    spec = config.sets[year]
    assert [(level.thinking, level.answer) for level in spec.levels] == [(8192, 2048), (16384, 2048), (24576, 2048)]
    assert (spec.data, spec.samples, config.needs_endpoint) == (name, 16, True)
    assert (config.sampling.temperature, config.sampling.top_p) == (1.0, 1.0)
    drafts = [w.widths[:-1] for w in config.frontier[0].families["pdr"]]
    assert drafts == [(8,), (16, 8), (16, 8, 4)]
    assert config.distillers.widths == config.oracle.strategy.widths[:-1] == (16, 8, 4)
    assert config.distillers.k == (2, 4)


def test_the_embedded_configuration_can_check_its_claims_on_a_thousand_problems() -> None:
    config = load_config("embedded").claiming_on(1000)
    assert [part.set for part in config.frontier] == ["K4", "K6"]
    assert all(part.claims and part.claims_on == 1000 for part in config.frontier)
    assert config.distillers.claims_on == 1000 and not config.needs_endpoint
    assert [part.set for part in config.training.sets] == ["K4", "K6"]
    assert {job.count for job in training.jobs(config)} == {1000}
    assert {job.count for job in training.jobs(load_config("embedded"))} == {300}
    assert load_config("aime24").claiming_on(1000) == load_config("aime24")  # no more problems than it had


@pytest.mark.parametrize(
    ("before", "after", "where", "what"),
    [
        ("    search: 4\n", "    search: 4\n    serch: 4\n", r"frontier\[0\]\.serch \(x, line 14\)", "unknown key"),
        ("    search: 4\n", "", r"frontier\[0\]\.search", "it is missing"),
        ("search: 4\n", "search: 0\n", r"frontier\[0\]\.search \(x, line 13\)", "greater than or equal to 1"),
        ("kind: summary, tokens: 32", "kind: sumary", "strategy 'pdr_3', rounds", "no distiller"),
        ("name: cot_400", "name: cot_20", "frontier of P, families", "cot_20 names two things"),
        ("name: cot_400", "name: pdr", "frontier of P, families", "pdr names two things"),
        ("strategy: pdr, against", "strategy: pdrr, against", "claim 'it works'", "there is no 'pdrr'"),
        ("{family: majority,", "{family: vote,", "rivals", "there is no 'vote'"),
        ("distillers: {set: P", "distillers: {set: Q", "distillers.set", "no set 'Q'"),
        ("    - set: P\n      problems: 4", "    - set: Q\n      problems: 4", r"training.sets\[0\].set", "no set 'Q'"),
        (
            "  sets:\n    - set: P\n      problems: 4",
            "  set: P\n  sets:\n    - set: P\n      problems: 4",
            r"training\.set \(x, line 32\)",
            "unknown key",
        ),
        ("name: vote, close", "name: cot, close", "training of P, strategies", "cot names two things"),
        ("against: [cot, vote]", "against: [cot, votes]", "training of P, compared", "there is no 'votes'"),
        ("{strategy: pdr, against: [cot", "{strategy: pdr_3, against: [cot", "training of P, compared", "no 'pdr_3'"),
        ("      compared: [", TWICE + "      compared: [", r"training.sets\[1\].set", "P stands there already"),
        ("load: 8\n", "load: 8\nload: 9\n", r"load \(x, line 5\)", "line 4 already"),
        ("load: 8", "load: [", "x", "not YAML"),
    ],
)
def test_an_error_names_the_place_and_the_mend(before: str, after: str, where: str, what: str) -> None:
    assert before in SMALL
    with pytest.raises(ConfigError, match=what) as caught:
        parse_config(SMALL.replace(before, after, 1), "x")
    assert caught.match(where)
    assert caught.value.mend


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="aime24, aime25, embedded"):
        load_config("nonesuch")


def test_counts_can_be_capped_and_the_problems_be_others() -> None:
    config = load_config("embedded").capped(3)
    assert {(p.search, p.report, p.claims_on) for p in config.frontier} == {(3, 3, 3)}
    assert (config.distillers.report, config.oracle.problems) == (3, 3)
    assert {(p.problems, p.claims_on) for p in config.training.sets} == {(3, 3)}
    other = load_config("embedded").on("aime24")
    assert [spec.data for spec in other.sets.values()] == ["aime24"]
    assert {p.set for p in other.frontier} == {other.oracle.set} == {"aime24"}
    assert [p.set for p in other.training.sets] == ["aime24"]
    assert not other.oracle.lines


def test_open_caps_come_from_the_level_and_stated_ones_stay() -> None:
    config = parse_config(SMALL, "x")
    families = config.frontier[0].families
    (pdr,) = at_levels(config, "P", families["pdr"])
    assert [(r.thinking, r.answer) for r in pdr.rounds] == [(40, 40), (40, 60)]
    assert pdr.sampling.temperature == 0.7
    assert [w.name for w in at_levels(config, "P", families["long_cot"])] == ["cot_20", "cot_400"]


def test_a_strategy_runs_at_every_level_unless_it_states_all_caps() -> None:
    two = SMALL.replace("last_answer: 60}]", "last_answer: 60}, {name: long, thinking: 90, answer: 50}]")
    config = parse_config(two, "x")
    families = config.frontier[0].families
    assert [w.name for w in at_levels(config, "P", families["pdr"])] == ["pdr_3-short", "pdr_3-long"]
    assert [w.name for w in at_levels(config, "P", families["long_cot"])] == ["cot_20", "cot_400"]
    assert {cell.row for cell in cells(config, config.distillers)} >= {"global summary, short", "random-2, long"}


def test_the_distillers_grid_leaves_out_what_kappa_can_not_hold() -> None:
    grid = SMALL.replace("kappa: [64, 128], k: [2]", "kappa: [32, 64, 128], k: [2, 4]")
    config = parse_config(grid, "x")
    found = {(cell.row, cell.kappa): cell.workflow for cell in cells(config, config.distillers)}
    kappas = {row: [k for r, k in found if r == row] for row, _ in found}
    assert kappas["global summary"] == [32, 64, 128]
    assert kappas["shared top-2"] == kappas["random-2"] == [64, 128]
    assert kappas["per-sample top-4"] == [128]
    chosen = [r.distill for r in found["per-sample top-4", 128].rounds]
    # Rounds of 3 and 2 drafts: four can't be picked of them, so all are passed on.
    assert [(d.k, d.shared) for d in chosen if isinstance(d, Top)] == [(3, False), (2, False)]
