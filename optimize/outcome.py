"""What a search leaves behind: the table, the winner's YAML, plots and files, and where to look next."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optimize.fingerprint import FINGERPRINT
from optimize.front import Title
from optimize.loop import Ending, title
from optimize.options import UI_COMMAND
from optimize.pages import Page, as_page, trial_dot
from optimize.plots import Dot, as_html, as_png
from optimize.study import METRICS
from optimize.table import Report, Row, as_data, as_json, as_markdown, as_text, ordered

if TYPE_CHECKING:
    from optimize.session import Session


FILES: dict[Title, str] = {"best": "winner.yaml", "near": "near.yaml", "knee": "knee.yaml"}
"""The winners' workflows in the study's directory."""


@dataclass(frozen=True)
class Outcome:
    """A search that has ended and been reported on.

    Attributes:
        session: The search.
        rows: The workflows of the report with their numbers.
        ending: How the search phase ended.
        searched, elapsed: Seconds of the search phase, and of all of it.
    """

    session: Session
    rows: list[Row]
    ending: Ending
    searched: float
    elapsed: float

    def tell(self) -> None:
        """Write the files, log them, print the table."""
        report = Report(
            study=self.session.study.name,
            model=self.session.endpoint.identity.model,
            budget=str(self.session.budget),
            data=self.session.options.data,
            load=self.session.endpoint.load,
            in_flight=self.session.in_flight,
            latency=self.session.options.latency,
            search_problems=len(self.session.problems.search),
            report_problems=len(self.session.problems.report),
            samples=self.session.options.samples,
            rows=ordered(self.rows, self.session.options.latency),
        )
        artifacts = {"front.json": as_json(report), "report.md": as_markdown(report)}
        best = next((row for row in self.rows if row.winner), None)
        artifacts |= {FILES[won]: _winner(row, report) for row in self.rows for won in row.titles}
        study, spent = self.session.study, self.session.allowance.spent
        page = Page(study.name, study.noted(FINGERPRINT), study.complete, spent, as_data(report))
        artifacts["report.html"] = as_page(page)
        for name, text in artifacts.items():
            self.session.state.write(name, text)
        figures = self._figures(report)
        for name, (html, png) in figures.items():
            self.session.state.write(f"{name}.html", html)
            (self.session.state.path / f"{name}.png").write_bytes(png)
        self.session.tracking.close(
            "FINISHED", metrics=_metrics(best, len(self.session.study.complete)), artifacts=artifacts, figures=figures
        )
        for warning in self.session.endpoint.stats.warnings:
            print(f"note: {warning}", file=sys.stderr)
        print(f"\n{as_text(report)}\n")
        complete = self.session.study.complete
        given_up = sum(bool(t.user_attrs[METRICS].get("given_up")) for t in complete)
        print(
            f"{len(complete)} trials ({self.ending}"
            f"{f'; {given_up} given up before their last problem' if given_up else ''}), "
            f"search {self.searched:.0f} s, all {self.elapsed:.0f} s"
        )
        whole = "by the workers in this directory" if self.session.scattered else "all its runs together"
        print(f"generated for this study, {whole}: {self.session.allowance.spent:,} tokens")
        if best is None:
            print(self._nobody())
        elif not any(row.measured.accuracy for row in self.rows):
            print("not one problem was solved; the trade-off says nothing (is it the right data for this model?)")
        else:
            path = self._path("winner.yaml")
            print(f"winner: {best.name}, {path}\n  {_run_command(self.session.options, path)}")
            others = {t: next(row for row in self.rows if t in row.titles) for t in ("near", "knee")}
            if any(row is not best for row in others.values()):
                near, knee = others["near"], others["knee"]
                print(f"fastest within a point: {near.name}, {FILES['near']}; knee: {knee.name}, {FILES['knee']}")
        print(f"report: {self._path('report.html')}, {self._path('report.md')}\nruns:   {UI_COMMAND}")

    def _nobody(self) -> str:
        """Why there is no winner, and what to do about it."""
        study = self.session.study
        if not study.beyond:
            return "no trial was completed, so there is no winner; give the search more time (--timeout)"
        nearest = min(study.beyond, key=lambda t: study.limits.excess(study.point(t)))
        point = study.point(nearest)
        unit = "s" if self.session.options.latency == "seconds" else "tokens"
        return (
            f"no trial kept to {study.limits}, so there is no winner; the nearest is t{nearest.number}: "
            f"{100 * point.accuracy:.1f} % at {point.latency:.3g} {unit}. "
            "Widen the limit, or give the search more trials"
        )

    def _figures(self, report: Report) -> Mapping[str, tuple[str, bytes]]:
        latency = self.session.options.latency
        searched = [trial_dot(t, title(self.session.space.candidate(t.params))) for t in self.session.study.feasible]
        reported = [
            Dot(row.name, row.title, row.measured.point(latency), row.measured.low, row.measured.high, row.baseline)
            for row in report.rows
        ]
        pictures = {"pareto": (reported, "problems the search never saw"), "pareto_search": (searched, "search")}
        return {
            name: (as_html(dots, latency, f"{report.study}: {what}"), as_png(dots, latency, f"{report.study}: {what}"))
            for name, (dots, what) in pictures.items()
            if dots
        }

    def _path(self, name: str) -> str:
        path = self.session.state.path / name
        return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _metrics(best: Row | None, trials: int) -> dict[str, float]:
    own = {"trials": float(trials)}
    if best is not None:
        own |= {f"winner_{name}": value for name, value in best.measured.metrics.items()}
        own["winner_search_accuracy"] = best.searched.accuracy if best.searched else float("nan")
    return own


def _winner(row: Row, report: Report) -> str:
    m = row.measured
    return (
        f"# {row.name} of the study {report.study}: {row.title}\n"
        f"# {100 * m.accuracy:.1f} % [{100 * m.low:.1f}-{100 * m.high:.1f}] on {report.report_problems} problems of "
        f"{report.data} the search never saw,\n"
        f"# median {m.p50:.2f} s at {report.load} requests in flight; {report.model}, --budget {report.budget}\n"
        f"{row.workflow}"
    )


def _run_command(options: argparse.Namespace, workflow: str) -> str:
    parts = ["python optimize/run.py", workflow, f"--budget {options.budget}"]
    parts += [f"--endpoint {url}" for url in options.endpoint or []]
    for name in ("model", "inputs", "answer"):
        if getattr(options, name):
            parts.append(f"--{name} {getattr(options, name)}")
    return " ".join([*parts, f"--data {options.data}"])
