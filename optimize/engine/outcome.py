"""What a search leaves behind: the table, the winner's YAML, plots and files, and where to look next."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optimize.engine.entries import earned
from optimize.engine.loop import Ending
from optimize.engine.prepared import Prepared
from optimize.objectives.front import Title
from optimize.objectives.loads import LoadLevel
from optimize.objectives.measurement import Measurement
from optimize.reporting import load_plot
from optimize.reporting.diagnosis import diagnosis, remarks
from optimize.reporting.drawings import FRONT, drawings, front_name, label, trial_dot
from optimize.reporting.mlflow_ui import UI_COMMAND
from optimize.reporting.pages import Page, as_page
from optimize.reporting.plots import Dot, as_html, as_png
from optimize.reporting.report import Report, Row, ordered
from optimize.reporting.report_data import as_data, as_json
from optimize.reporting.table import as_markdown, as_text
from optimize.reporting.uncounted import Reading, lost, reading
from optimize.request.measure import MeasureRequest
from optimize.study.fingerprint import FINGERPRINT
from optimize.study.trials import METRICS
from pdr_dspy.markdown import plain
from pdr_dspy.secrets.redaction import redacted, without_known
from pdr_dspy.terminal import name_of

FILES: dict[Title, str] = {"best": "winner.yaml", "near": "near.yaml", "knee": "knee.yaml"}
"""The winners' workflows in the study's directory."""


@dataclass(frozen=True)
class Outcome:
    """A search that has ended and been reported on.

    Attributes:
        prepared: The search.
        rows: The workflows of the report with their numbers.
        levels: The loads that the report was measured at, the search's first.
        opened: What was counted when the search began.
        ending: How the search phase ended.
        searched, elapsed: Seconds of the search phase, and of all of it.
        scattered: Whether workers of the study have other directories.
        command: The command that asked for the search, or "".
    """

    prepared: Prepared
    rows: Sequence[Row]
    levels: tuple[LoadLevel, ...]
    opened: Reading
    ending: Ending
    searched: float
    elapsed: float
    scattered: bool
    command: str = ""

    def tell(self) -> Report:
        """Write the files, log them, print the table; the report."""
        rows = earned(self.rows)
        report = Report(
            study=self.prepared.study.name,
            model=self.prepared.endpoint.identity.model,
            budget=str(self.prepared.request.budget),
            data=self.prepared.request.data,
            load=self.prepared.endpoint.load,
            in_flight=self.levels[0].in_flight,
            objectives=self.prepared.study.objectives,
            search_problems=len(self.prepared.problems.search),
            report_problems=len(self.prepared.problems.report),
            samples=self.prepared.request.samples,
            rows=ordered(rows, self.prepared.study.objectives),
            levels=self.levels[::-1] if len(self.levels) > 1 else (),
            format=next(iter(self.prepared.space.formats), ""),
        )
        artifacts = {"front.json": as_json(report), "report.md": as_markdown(report)}
        best = next((row for row in rows if row.winner), None)
        artifacts |= {FILES[won]: _winner(row, report) for row in rows for won in row.titles}
        for name in set(FILES.values()) - set(artifacts):
            (self.prepared.state.path / name).unlink(missing_ok=True)  # of an earlier run, whose word it is no more
        study, spent = self.prepared.study, self.prepared.allowance.spent
        page = Page(study.name, study.noted(FINGERPRINT), study.complete, spent, as_data(report))
        artifacts["report.html"] = as_page(page)
        for name, text in artifacts.items():
            self.prepared.state.write(name, text)
        figures = self._figures(report)
        for name, (sheet, png) in figures.items():
            if png is not None:
                self.prepared.state.write(f"{name}.html", sheet)
                self.prepared.state.write(f"{name}.png", png)
        self.prepared.tracking.close(
            "FINISHED",
            metrics=_metrics(best, len(self.prepared.study.complete)),
            artifacts=artifacts,
            figures=figures,
            summary=_summary(best, report),
        )
        for warning in self.prepared.endpoint.stats.warnings:
            print(f"note: {warning}", file=sys.stderr)
        print(f"\n{as_text(report)}\n")
        complete = self.prepared.study.complete
        given_up = sum(bool(t.user_attrs[METRICS].get("given_up")) for t in complete)
        print(
            f"{len(complete)} trials ({self.ending}"
            f"{f'; {given_up} given up before their last problem' if given_up else ''}), "
            f"search {self.searched:.0f} s, all {self.elapsed:.0f} s"
        )
        whole = "by the workers in this directory" if self.scattered else "all its runs together"
        print(f"generated for this study, {whole}: {self.prepared.allowance.spent:,} tokens")
        if line := lost(self.opened, reading(self.prepared.endpoint)):
            print(f"among them, in this run: {line}")
        if any(row.measured.accuracy for row in rows):  # else `_nobody` has it
            for line in remarks([(row.name, row.measured) for row in rows], self.prepared.space.formats):
                print(line)
        if best is None:
            print(self._nobody())
        else:
            path = self._path("winner.yaml")
            print(f"winner: {best.name}, {path}\n  {_run_command(self.prepared.request, path, self.command)}")
            words: dict[Title, str] = {"near": f"{study.objectives.least} within a point", "knee": "knee"}
            others = {title: row for row in rows for title in row.titles if title in words}
            if any(row is not best for row in others.values()):
                told = (f"{words[t]}: {others[t].name}, {FILES[t]}" for t in words if t in others)
                print("; ".join(told))
        print(f"report: {self._path('report.html')}, {self._path('report.md')}\nruns:   {UI_COMMAND}")
        return report

    def _nobody(self) -> str:
        """Why there is no winner, and what to do about it."""
        study = self.prepared.study
        searched = [Measurement.from_dict(t.user_attrs[METRICS]) for t in study.complete]
        if why := diagnosis([*(row.measured for row in self.rows), *searched], self.prepared.space.formats):
            return f"no winner: {why}"
        won = next((row for row in self.rows if row.winner), None)
        if won is not None and won.searched is not None:
            return (
                f"no winner: {won.name}, the most accurate of the search ({100 * won.searched.accuracy:.1f} %), got "
                "nothing right here. Search with more problems (--problems)"
            )
        if not study.feasible and not study.beyond:
            return "no trial was completed, so there is no winner; give the search more time (--timeout)"
        beyond = [t for t in study.beyond if study.point(t).accuracy > 0]
        if not beyond:
            return "no winner: no trial got anything right on the search's problems. Give the search more trials"
        nearest = min(beyond, key=lambda t: study.limits.excess(study.point(t)))
        point = study.point(nearest)
        return (
            f"no trial kept to {study.limits}, so there is no winner; the nearest is t{nearest.number}: "
            f"{100 * point.accuracy:.1f} % at {study.objectives.told(point)}. "
            "Widen the limit, or give the search more trials"
        )

    def _figures(self, report: Report) -> Mapping[str, tuple[str, bytes | None]]:
        """Figures as HTML, and the plots of fronts as pictures as well."""
        objectives, trials = report.objectives, self.prepared.study.feasible
        reported = [
            Dot(row.name, row.title, row.measured.point(objectives), row.measured.low, row.measured.high, row.baseline)
            for row in report.rows
        ]
        searched = [trial_dot(t, label(t)) for t in trials]
        figures: dict[str, tuple[str, bytes | None]] = {
            drawing.name: (drawing.as_sheet(report.study), None) for drawing in drawings(trials, objectives)
        }
        for cost in objectives.costs:
            heading = f"{report.study}: problems the search never saw"
            name = front_name("pareto", cost, objectives)
            figures[name] = (as_html(reported, objectives, heading, cost), as_png(reported, objectives, heading, cost))
            if searched:
                name = front_name(FRONT, cost, objectives)
                picture = as_png(searched, objectives, f"{report.study}: search", cost)
                figures[name] = (figures[name][0], picture)
        return figures | ({"pareto_loads": load_plot.figures(report)} if report.levels else {})

    def _path(self, name: str) -> str:
        path = self.prepared.state.path / name
        return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _metrics(best: Row | None, trials: int) -> dict[str, float]:
    own = {"trials": float(trials)}
    if best is not None:
        own |= {f"winner_{name}": value for name, value in best.measured.metrics.items()}
        own["winner_search_accuracy"] = best.searched.accuracy if best.searched else float("nan")
    return own


def _summary(best: Row | None, report: Report) -> str:
    if best is None:
        return f"No winner among the workflows of {plain(report.study)}; see report.html among the artifacts."
    m = best.measured
    return (
        f"The winner is {plain(best.name)} ({plain(best.title)}): "
        f"{100 * m.accuracy:.1f} % [{100 * m.low:.1f}-{100 * m.high:.1f}] at {m.p50:.2f} s on "
        f"{report.report_problems} problems the search never saw. Everything is in report.html among the artifacts, "
        "the figures beside it."
    )


def _winner(row: Row, report: Report) -> str:
    m = row.measured
    lead = (
        f"{row.name} of the study {report.study}: {row.title}",
        f"{100 * m.accuracy:.1f} % [{100 * m.low:.1f}-{100 * m.high:.1f}] on {report.report_problems} problems of "
        f"{report.data} the search never saw,",
        f"median {m.p50:.2f} s at {report.load} requests in flight; {report.model}, --budget {report.budget}",
    )
    # No name may end its comment and begin a workflow of its own.
    return redacted("".join(f"# {name_of(line)}\n" for line in lead)) + without_known(row.workflow)


def _run_command(request: MeasureRequest, workflow: str, command: str) -> str:
    run = ["pdr", "run"] if command.startswith("pdr ") else ["python", "optimize/run.py"]
    parts = [*run, workflow, "--budget", str(request.budget)]
    parts += [part for url in request.endpoint for part in ("--endpoint", url)]
    for name in ("model", "inputs", "answer"):
        if getattr(request, name):
            parts += [f"--{name}", str(getattr(request, name))]
    return shlex.join([*parts, "--data", request.data])
