"""Where the model and the problems of a run come from: an endpoint or the embedded reasoner, a data set cut in two."""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from optimize.engine.options import Sizes
from optimize.objectives.loads import parse_loads
from optimize.study.fingerprint import StoredStudy
from pdr_dspy.caching import disable_cache
from pdr_dspy.data import GRADERS, RULE, RULES, Dataset, Rule, split
from pdr_dspy.data_options import load_asked
from pdr_dspy.endpoint import Allowance, Endpoint, EndpointSettings, Recommended, Store
from pdr_dspy.endpoint.recommended import recommendation
from pdr_dspy.errors import DataError, EndpointError
from pdr_dspy.secrets.secret import Secret


@dataclass(frozen=True)
class Problems:
    """A data set cut into what the search may see and what it may not, each cut down to what is used.

    Attributes:
        spec: What was asked for.
        search, report: The two sides.
        search_all, report_all: Problems each side has in all.
        rule: How the set was cut (`pdr_dspy.data.split`).
        whole: The set before it was cut.
    """

    spec: str
    search: Dataset
    report: Dataset
    search_all: int
    report_all: int
    rule: Rule
    whole: Dataset


def load_problems(
    options: argparse.Namespace, sizes: Sizes, before: Callable[[], StoredStudy | None] = lambda: None
) -> Problems:
    """Load and cut the data set, by today's rule; where that leaves a side empty, by the rule of the study there is.

    Args:
        options, sizes: What is asked for.
        before: Looks what a study that is there already holds to. Called only where today's rule does not do.

    Raises:
        DataError: it can't be read, or one side is empty.
    """
    whole = load_asked(options, quiet=options.dry_run)  # a dry run shows all of it
    try:
        return _cut(options, whole, sizes, RULE)
    except DataError:
        begun = before()
        if begun is None or _rule(begun) == RULE:
            raise
        return _cut(options, whole, sizes, _rule(begun))


def as_begun(options: argparse.Namespace, sizes: Sizes, problems: Problems, begun: StoredStudy) -> Problems:
    """The problems as a study that is there already has them, cut and graded as when it was begun.

    Args:
        options, sizes: What is asked for; a grader that the command line names stays.
        problems: As they are read today.
        begun: What the study holds to.

    Raises:
        DataError: it can't be read so, or one side is empty.
    """
    rule = _rule(begun)
    kind = (begun.grader or "").partition(" within ")[0]
    now = problems.search
    other = now.guessed and kind in GRADERS and kind != now.guessed and (kind == "number" or not options.tolerance)
    if rule == problems.rule and not other:
        return problems
    if other:
        print(f"data: grader {kind}, with which the study was begun (--grader names another)", file=sys.stderr)
        options = copy.copy(options)
        options.grader = kind
    whole = load_asked(options, quiet=True) if other else problems.whole  # told before
    return _cut(options, whole, sizes, rule)


def _rule(begun: StoredStudy) -> Rule:
    return next((rule for rule in RULES if rule == begun.rule), RULE)


def _cut(options: argparse.Namespace, data: Dataset, sizes: Sizes, rule: Rule) -> Problems:
    search, report = split(data, rule=rule)
    return Problems(
        spec=options.data,
        search=search.head(options.problems or sizes.problems),
        report=report.head(options.report_problems or sizes.report_problems),
        search_all=len(search),
        report_all=len(report),
        rule=rule,
        whole=data,
    )


@contextmanager
def opened(
    options: argparse.Namespace, store: Store | None = None, allowance: Allowance | None = None
) -> Iterator[Endpoint]:
    """The endpoint that was asked for, or the embedded reasoner, started and ended here.

    Raises:
        EndpointError: it can't be used.
    """
    disable_cache()
    if options.endpoint:
        settings = _settings(options, tuple(options.endpoint), options.model)
        with Endpoint.open(settings, store, allowance) as endpoint:
            yield endpoint
        return
    from pdr_dspy.embedded import start
    from pdr_dspy.embedded.server_key import made_up

    print("starting the embedded reasoner", file=sys.stderr, flush=True)
    with (
        start(api_key=made_up()) as server,
        Endpoint.open(
            replace(_settings(options, (server.base_url,), server.model), api_key=Secret(server.api_key)),
            store,
            allowance,
        ) as endpoint,
    ):
        try:
            yield endpoint
        except EndpointError as error:
            if server.alive:
                raise
            raise EndpointError(
                "embedded", "the reasoner ended by itself", f"Its log is {server.log_path}; the same command goes on"
            ) from error


def embedded_card() -> tuple[int, Recommended]:
    """The embedded reasoner's length in tokens, and how it is asked, without starting it."""
    from pdr_dspy.embedded.model import read_model
    from pdr_dspy.embedded.serve import WEIGHTS

    return read_model(WEIGHTS).context, recommendation({}, str(WEIGHTS))


def _settings(options: argparse.Namespace, urls: tuple[str, ...], model: str | None) -> EndpointSettings:
    return EndpointSettings(urls=urls, model=model, load=parse_loads(options.load)[-1], thinking=options.thinking)
