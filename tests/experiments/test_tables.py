"""What the tables say of results made up by hand: who was chosen, on what, and by how much it differs."""

from __future__ import annotations

from dataclasses import replace

from support import SMALL, TWO_SETS

from experiments.questions import distillers, frontier, oracle, training
from experiments.questions.choose import Standing, pairings
from experiments.questions.config import Config, parse_config
from experiments.questions.lab import Measured
from experiments.questions.plots import as_html, as_png
from experiments.questions.rows import Row
from experiments.questions.strategies import SUMMARY, Job, cells
from pdr_dspy.evaluation import Evaluation, ProblemResult
from pdr_dspy.ledger import Meters

CONFIG = parse_config(SMALL, "x")


def measured(job: Job, right: str, path: int = 100, extra: dict[str, float] | None = None) -> Measured:
    """Results from a text of 1s and 0s, a problem each, all of one length."""
    meters = Meters(
        b_seq=2 * path, b_total=4 * path, seq_generated=path, total_generated=3 * path, nominal_seq=path,
        nominal_total=path, calls=1, seconds=1.0,
    )  # fmt: skip
    results = [ProblemResult(f"p{i}", 0, c == "1", None, None, "", meters) for i, c in enumerate(right)]
    return Measured(job, Evaluation(tuple(results)), tuple(Row(r, extra or {}) for r in results))


def row(text: str, start: str) -> list[str]:
    """The cells of the first table row that begins so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


def standing(name: str, family: str, accuracy: float, path: float) -> Standing:
    tokens = dict.fromkeys(frontier.NAMES, path)
    return Standing(name, family, accuracy, {**tokens, "b_total": 4 * path})


def test_the_frontier_stars_what_the_search_chose_and_pairs_what_it_matched() -> None:
    part = CONFIG.frontier[0]
    jobs = {job.workflow.name: job for job in frontier.report_jobs(part, frontier.search_jobs(CONFIG, part), set())}
    standings = [
        standing("cot_20", "long_cot", 0.9, 80),  # the search's choice, though the report likes the other one better
        standing("cot_400", "long_cot", 0.1, 120),
        standing("pdr_3", "pdr", 0.5, 100),
        standing("majority_3", "majority", 0.5, 90),
    ]
    reported = [
        measured(jobs["cot_20"], "0000000000", 80),
        measured(jobs["cot_400"], "1111100000", 120),
        measured(jobs["pdr_3"], "1111111100", 100),
        measured(jobs["majority_3"], "1111111111", 90),
    ]
    text = frontier.section(CONFIG, part, standings, pairings(part, standings), reported, 4)
    assert row(text, "cot_20 \\*")[3] == "90.0" and row(text, "cot_400 |")[2].startswith("50.0 [")
    assert "search split (4 problems" in text
    claim = row(text, "it works")
    # Matched at the path's length on the search split: the chain of 120 tokens, not the one of 80.
    assert (claim[1], claim[3], claim[7]) == ("pdr_3", "cot_400", "path 100 against 120")
    assert claim[5].startswith("+30.0 [") and claim[6] == "10"
    assert claim[8] == "yes, but not the whole interval"
    assert row(text, "it is neither")[8] == "no"  # the search's choice solves nothing
    tail = text.split("Paired differences")[1]
    assert row(tail, "pdr_3")[2].startswith("-20.0 [") and row(tail, "pdr_3")[2].endswith("majority_3†")
    assert row(tail, "majority_3")[2] == "-"


def test_the_distillers_table_reports_the_cell_that_the_search_chose() -> None:
    grid = cells(CONFIG, CONFIG.distillers)
    jobs = distillers.jobs(CONFIG)
    searched = [measured(job, "11" if job.workflow.name == "shared_top-2-64" else "10") for job in jobs[: len(grid)]]
    reported = [measured(job, "1111" if job.workflow.name == "random-2-128" else "1100") for job in jobs[len(grid) :]]
    text = distillers.section(CONFIG, grid, searched, reported)
    assert row(text, "shared top-2")[1].startswith("**50.0 [") and "\\*" in row(text, "shared top-2")[1]
    assert "shared_top-2-64, 50.0 [" in text and "random-2-128 with 100.0 [" in text
    second = text.split("In order")[1]
    assert row(second, "shared top-2")[1] == "64" and row(second, "shared top-2")[3].startswith("+0.0")
    # The summary at every kappa; differences are from the one that the search chose.
    summaries = [[c.strip() for c in line.split("|")[2:6]] for line in second.splitlines() if "global" in line]
    assert {cells[0]: cells[2] for cells in summaries} == {"128": "+0.0 [-60.6 to +60.6]", "64": "-"}


def test_cells_that_are_put_in_order_are_measured_on_more_problems() -> None:
    config = parse_config(SMALL.replace("report: 4, widths", "report: 4, claims_on: 9, widths"), "x")
    grid = cells(config, config.distillers)
    searched = [measured(j, "10") for j in distillers.search_jobs(config, grid)]
    ordered = distillers.put_in_order(grid, searched)
    assert {c.kind for c in grid if c.workflow.name in ordered} == {c.kind for c in grid}
    assert {c.kappa for c in grid if c.workflow.name in ordered and c.kind == SUMMARY} == {64, 128}
    counts = {j.workflow.name: j.count for j in distillers.report_jobs(config, grid, ordered)}
    assert {counts[name] for name in ordered} == {9}
    assert {count for name, count in counts.items() if name not in ordered} == {4}


def test_every_level_has_its_own_order() -> None:
    two = SMALL.replace("last_answer: 60}]", "last_answer: 60}, {name: long, thinking: 90, answer: 50}]")
    config = parse_config(two, "x")
    grid = cells(config, config.distillers)
    best = "global_summary-64-long"
    searched = [measured(j, "11" if j.workflow.name == best else "10") for j in distillers.search_jobs(config, grid)]
    ordered = distillers.put_in_order(grid, searched)
    assert {(c.kind, c.level) for c in grid if c.workflow.name in ordered} == {(c.kind, c.level) for c in grid}
    reported = [
        measured(j, "0000" if j.workflow.name == best else "1100")
        for j in distillers.report_jobs(config, grid, ordered)
    ]
    second = distillers.section(config, grid, searched, reported).split("In order")[1]
    # Compared with the summary of its own level.
    assert row(second, "random-2, short")[3].startswith("+0.0 [")
    assert row(second, "random-2, long")[3].startswith("+50.0 [")
    assert sum(line.split("|")[4].strip() == "-" for line in second.splitlines() if "global summary" in line) == 2


def test_the_oracle_says_how_often_nothing_was_let_in() -> None:
    default, correct, incorrect = oracle.jobs(CONFIG)
    found = [
        measured(default, "1100", extra={"distilled": 1.0, "unread": 0.0}),
        measured(correct, "1110", extra={"distilled": 2.0, "unread": 1.0}),
        measured(incorrect, "0000", extra={}),
    ]
    text = oracle.section(CONFIG, found)
    assert row(text, "default")[2:4] == ["-", "0 %"]
    assert row(text, "correct drafts")[3] == "50 %" and row(text, "correct drafts")[2].startswith("+25.0 [")
    assert row(text, "incorrect drafts")[2].startswith("-50.0 [")


def results(name: str, right: dict[str, str], paths: dict[str, int], config: Config = CONFIG) -> training.Tested:
    """A checkpoint's results: `right` and `paths` by the strategy's name."""
    jobs = training.jobs(config, name)
    names = [job.workflow.name for job in jobs]
    return training.Tested(
        name, f"m {name}", [measured(j, right[n], paths[n]) for j, n in zip(jobs, names, strict=True)]
    )


def test_every_checkpoint_is_compared_with_the_first_on_the_same_problems() -> None:
    paths = {"cot": 100, "pdr": 90, "vote": 80}
    sft = results("sft", dict.fromkeys(paths, "1000"), paths)
    trace = results("trace", {"cot": "0111", "pdr": "1100", "vote": "1000"}, paths)
    operator = results("operator", {"cot": "0000", "pdr": "1111", "vote": "1000"}, paths)
    text = training.text(CONFIG, [sft, trace, operator])
    assert row(text, "sft | cot")[4:6] == ["-", "-"]
    cot = row(text, "trace | cot")
    assert cot[3].startswith("75.0 [") and cot[4].startswith("+50.0 [") and cot[5] == "3/1"
    assert cot[6:] == ["100", "200", "100", "400", "0"]
    assert row(text, "operator | cot")[4].startswith("-25.0 [")
    assert row(text, "operator | pdr")[4].startswith("+75.0 [")
    assert "against sft, points" in text and "- trace: m trace" in text
    assert "one model" not in text


def test_within_each_checkpoint_the_rival_never_has_fewer_tokens_unless_none_has_as_many() -> None:
    right = {"cot": "1000", "pdr": "1110", "vote": "1100"}
    sft = results("sft", right, {"cot": 100, "pdr": 90, "vote": 120})
    brief = results("brief", right, {"cot": 100, "pdr": 101, "vote": 120})
    long = results("long", right, {"cot": 100, "pdr": 130, "vote": 120})
    within = training.text(CONFIG, [sft, brief, long]).split("within each checkpoint")[1]
    # Whatever was right there.
    assert row(within, "sft")[3] == "cot" and row(within, "sft")[5].startswith("+50.0 [")
    assert row(within, "brief")[3] == "vote" and row(within, "brief")[5].startswith("+25.0 [")
    assert row(within, "long")[3] == "vote" and row(within, "long")[6] == "B_total 520 against 480"


def test_every_set_has_its_own_table_and_panel() -> None:
    config = parse_config(TWO_SETS, "x")
    right, paths = dict.fromkeys(("cot", "pdr", "vote"), "10"), dict.fromkeys(("cot", "pdr", "vote"), 50)
    found = [results(name, right, paths, config) for name in ("first", "middle", "last")]
    text = training.text(config, found)
    p, q = text.split("**Q** (DATA), 2 problems")
    assert "**P**" in p and row(p, "last | vote")
    assert row(q, "middle | cot")[3].startswith("50.0 [") and "| pdr |" not in q
    chart = training.chart(config, found)
    assert [panel.title for panel in chart.panels] == ["P", "Q"]
    for panel, dots in zip(chart.panels, (3, 1), strict=True):
        assert [(s.name, s.strong, len(s.dots)) for s in panel.series] == [
            ("first", True, dots), ("middle", False, dots), ("last", True, dots)
        ]  # fmt: skip
        first, middle, last = (s.colour for s in panel.series)
        assert first and last and first != last and middle is None
    assert as_png(chart).startswith(b"\x89PNG") and "middle" in as_html(chart)


def test_a_model_that_is_there_twice_is_told() -> None:
    right, paths = dict.fromkeys(("cot", "pdr", "vote"), "10"), dict.fromkeys(("cot", "pdr", "vote"), 50)
    first, second = (results(name, right, paths) for name in ("a", "b"))
    text = training.text(CONFIG, [first, replace(second, identity=first.identity)])
    assert "these are one model: a, b" in text and row(text, "b | cot")[4] == "+0.0 [-100.0 to +100.0]"
