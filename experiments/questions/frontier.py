"""Question 1: accuracy against B_seq and B_total, for every strategy and the baselines that were missed.

Caps, widths and rivals are chosen on the search split; every number of the tables is of the report split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.questions.choose import Pairing, Standing, best, judged, matched, members, pairings
from experiments.questions.config import Config
from experiments.questions.lab import Lab, Measured
from experiments.questions.markdown import SAMPLE_NOTE, accuracy, number, points, table
from experiments.questions.parts import FrontierPart, Rival
from experiments.questions.plan import expected_meters
from experiments.questions.plots import Chart, Dot, Panel, Series
from experiments.questions.report import Answer
from experiments.questions.strategies import Job, at_levels
from pdr_dspy.workflow import topology

NAMES: Mapping[str, str] = {
    "seq_generated": "path",
    "b_seq": "B_seq",
    "nominal_seq": "nominal B_seq",
    "total_generated": "all generated",
    "b_total": "B_total",
    "nominal_total": "nominal B_total",
}
"""The meters as the tables call them."""

_METERS = tuple(NAMES)


def search_jobs(config: Config, part: FrontierPart) -> list[Job]:
    """What choices are made on."""
    return [
        Job(part.set, "search", part.search, workflow, family)
        for family, strategies in part.families.items()
        for workflow in at_levels(config, part.set, strategies)
    ]


def report_jobs(part: FrontierPart, searched: Sequence[Job], named: set[str]) -> list[Job]:
    """The same on the report split, those that claims name on more problems."""
    most = max(part.report, part.claims_on)
    return [
        Job(part.set, "report", most if job.workflow.name in named else part.report, job.workflow, job.family)
        for job in searched
    ]


def jobs(config: Config) -> list[Job]:
    """Everything, for a dry run: the expected lengths stand for the search split's."""
    made: list[Job] = []
    for part in config.frontier:
        searched = search_jobs(config, part)
        usual = config.sets[part.set].usual
        expected = [(job, expected_meters(job.workflow, usual)) for job in searched]
        standings = [Standing(j.workflow.name, j.family, m["seq_generated"], m) for j, m in expected]
        made += [*searched, *report_jobs(part, searched, _named(pairings(part, standings)))]
    return made


def ask(lab: Lab) -> Answer:
    """Measure and tell."""
    sections: list[str] = []
    charts: list[Chart] = []
    metrics: dict[str, float] = {}
    for part in lab.config.frontier:
        searched = lab.measure(f"{part.set} search", search_jobs(lab.config, part))
        standings = [standing(m) for m in searched]
        pairs = pairings(part, standings)
        wanted = report_jobs(part, [m.job for m in searched], _named(pairs))
        reported = lab.measure(f"{part.set} report", wanted)
        sections.append(section(lab.config, part, standings, pairs, reported, len(searched[0].evaluation.shares)))
        charts.append(chart(part, reported))
        metrics |= {f"{part.set}_{m.name}_accuracy": m.evaluation.accuracy for m in reported}
    return Answer("frontier", "\n\n".join(sections), tuple(charts), metrics)


def section(
    config: Config,
    part: FrontierPart,
    standings: Sequence[Standing],
    pairs: Sequence[Pairing],
    reported: Sequence[Measured],
    searched: int,
) -> str:
    """The tables of one problem set; `searched` is how many problems choices were made on."""
    order = list(part.families)
    rows = sorted(reported, key=lambda m: (order.index(m.job.family), m.evaluation.mean("seq_generated")))
    by_search = {s.name: s for s in standings}
    chosen = {best(s for s in standings if s.family == family).name for family in order}
    columns = ["strategy", "shape", "accuracy, %", "search", "problems", *NAMES.values(), "calls", "p50 s", "failed"]
    body = [_row(m, by_search[m.name], m.name in chosen) for m in rows]
    parts = [f"**{part.set}** ({config.sets[part.set].data}), report split", table(columns, body)]
    parts.append(
        f"\\* the family's best on the search split ({searched} problems; column `search`). `path`: generated along "
        "the accepted path; B_seq and B_total: in + out along it, and of every call; nominal: calls x thinking cap, "
        f"as the paper's plots count. Means of a problem. {SAMPLE_NOTE}"
    )
    if pairs:
        parts += ["Claims", _claims(pairs, {m.name: m for m in reported})]
    if part.rivals:
        parts += [
            "Paired differences in points, each against the rival that had as many tokens or the next more on the "
            "search split (†: none had as many, the largest stands in)",
            _against(part.rivals, standings, rows),
        ]
    return "\n\n".join(parts)


def _row(m: Measured, searched: Standing, chosen: bool) -> list[str]:
    e = m.evaluation
    meters = [number(e.mean(meter)) for meter in _METERS]
    return [
        m.name + (" \\*" if chosen else ""), topology(m.job.workflow), accuracy(e), f"{100 * searched.accuracy:.1f}",
        str(len(e.shares)), *meters, f"{e.mean('calls'):.1f}", f"{e.latency(0.5):.2f}", str(e.failures.total()),
    ]  # fmt: skip


def _claims(pairs: Sequence[Pairing], by_name: Mapping[str, Measured]) -> str:
    body = []
    for pair in pairs:
        ours = by_name[pair.name].evaluation
        theirs = None if pair.rival is None else by_name[pair.rival].evaluation
        difference = None if theirs is None else ours.compared_with(theirs)
        said = judged(pair.claim, ours.accuracy, ours.interval, difference)
        meter = pair.claim.meter
        tokens = "" if meter is None else f"{NAMES[meter]} {number(ours.mean(meter))}"
        if meter is not None and theirs is not None:
            tokens += f" against {number(theirs.mean(meter))}"
        body.append(
            [
                pair.claim.says, pair.name, accuracy(ours), pair.rival or "-", accuracy(theirs) if theirs else "-",
                points(difference) if difference else "-", str(len(ours.shares)), tokens or "-", said,
            ]
        )  # fmt: skip
    columns = ["claim", "strategy", "%", "rival", "%", "difference", "problems", "tokens", "holds"]
    return table(columns, body)


def _against(rivals: Sequence[Rival], standings: Sequence[Standing], rows: Sequence[Measured]) -> str:
    by_name = {m.name: m for m in rows}
    at = {s.name: s for s in standings}
    body = []
    for m in rows:
        cells = []
        for rival in rivals:
            own = members(rival.family, standings)
            if m.job.family == rival.family:
                cells.append("-")
                continue
            target = at[m.name].meters[rival.meter]
            other = matched(target, own, rival.meter)
            mark = "†" if other.meters[rival.meter] < target else ""
            cells.append(f"{points(m.evaluation.compared_with(by_name[other.name].evaluation))} {other.name}{mark}")
        if any(cell != "-" for cell in cells):
            body.append([m.name, *cells])
    return table(["strategy", *(f"{r.family} at its {NAMES[r.meter]}" for r in rivals)], body)


def chart(part: FrontierPart, reported: Sequence[Measured]) -> Chart:
    """Accuracy against what is generated along the path, against B_seq and against B_total."""
    panels = []
    for meter, title in (
        ("seq_generated", "generated along the path"),
        ("b_seq", "B_seq (in + out along the path)"),
        ("b_total", "B_total (in + out, every call)"),
    ):
        series = []
        for family in part.families:
            own = sorted((m for m in reported if m.job.family == family), key=lambda m: m.evaluation.mean(meter))
            series.append(Series(family, tuple(_dot(m, meter) for m in own)))
        panels.append(Panel(title, "tokens", tuple(series), log=True))
    return Chart(f"frontier-{part.set}", f"{part.set}: accuracy against tokens", tuple(panels))


def _dot(m: Measured, meter: str) -> Dot:
    e = m.evaluation
    return Dot(e.mean(meter), 100 * e.accuracy, 100 * e.interval.low, 100 * e.interval.high, m.name)


def standing(m: Measured) -> Standing:
    """Accuracy and meters of what was measured."""
    meters = {meter: m.evaluation.mean(meter) for meter in _METERS}
    return Standing(m.name, m.job.family, m.evaluation.accuracy, meters)


def _named(pairs: Sequence[Pairing]) -> set[str]:
    return {name for pair in pairs for name in (pair.name, pair.rival) if name is not None}
