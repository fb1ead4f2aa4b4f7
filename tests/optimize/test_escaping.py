"""Names and texts of models, files and people are shown in Markdown, HTML, figures and YAML; they are never markup."""

from __future__ import annotations

import html.parser
import json
import re
from dataclasses import replace

import pytest
import yaml
from test_table import REPORT, ROWS

from optimize.engine.outcome import _winner
from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point
from optimize.reporting.html import rows_table, section
from optimize.reporting.plots import Dot, as_html
from optimize.reporting.problem_failures import problem_failures
from optimize.reporting.report_data import as_json
from optimize.reporting.table import as_markdown
from pdr_dspy.markdown import fenced, plain

EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script> [x](javascript:y) **b** `c` | d\n# head"


class Tags(html.parser.HTMLParser):
    """The elements of a document, and the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Keep it."""
        self.tags.append(tag)


def report() -> str:
    row = replace(ROWS[0], name=f"t {EVIL}", title=EVIL, workflow=f"name: x\ntext: |\n  ```\n  {EVIL!r}\n  ````\n")
    return as_markdown(replace(REPORT, model=EVIL, data=EVIL, study=EVIL, rows=(row, *ROWS[1:])))


def test_a_report_in_markdown_has_no_markup_of_others() -> None:
    text = report()
    outside = re.sub(r"^(`{3,})yaml\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert outside.count("\n## ") == len(ROWS) and outside.count("\n# ") + outside.startswith("# ") == 1
    assert "alert" in outside
    for markup in ("<img", "<script", "[x]", "**b**", "`c`"):
        assert not re.search(rf"(?<!\\){re.escape(markup)}", outside)
    table = [line for line in outside.split("\n") if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "```\n" in text and text.count("`````yaml") == 1


@pytest.mark.parametrize("text", ["", "a", "```", "x\n````\n```` y", "`" * 9])
def test_no_line_of_code_ends_its_block(text: str) -> None:
    fence = fenced(text).partition("\n")[0]
    assert set(fence) == {"`"} and fence not in text
    assert plain("a\nb|c") == "a b\\|c"


def test_pages_have_no_elements_of_others() -> None:
    trouble = {
        "problem": EVIL, "sample": 0, "correct": False, "failure": EVIL, "detail": EVIL, "drafts": 1, "read": {EVIL: 1},
        "calls": [{"stage": EVIL, "kind": EVIL, "count": 1, "detail": EVIL, "text": EVIL, "fallback": EVIL}],
    }  # fmt: skip
    dot = Dot(EVIL, EVIL, Point(0.5, 1.0), 0.4, 0.6)
    parts = (
        problem_failures([(EVIL, {"troubles": [trouble]})]),
        rows_table((EVIL,), [(EVIL,)]),
        section(EVIL, EVIL, None),
        as_html([dot], Objectives(), EVIL).partition("<body>")[2].partition('<script type="text/plain"')[0],
    )
    for part in parts:
        assert "alert(1)" in part
        assert not {"img", "a", "b"} & set(Tags(part).tags) and part.count("<script") <= 1
    (figure,) = re.findall(r'application/json">(.*?)</script>', parts[-1], re.DOTALL)
    named = [
        text for trace in json.loads(figure)["data"] for text in (*trace.get("text", ()), *trace.get("customdata", ()))
    ]
    assert named and not any("<img" in text or "<script" in text for text in named)


def test_no_name_ends_its_comment_in_a_winners_file() -> None:
    made = _winner(
        replace(ROWS[0], title="x\nname: other", workflow="name: own\n"), replace(REPORT, data="d\r\nname: z")
    )
    assert yaml.safe_load(made) == {"name": "own"}


def test_no_secret_is_in_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "canary-0123456789")
    row = replace(ROWS[0], title="so canary-0123456789", workflow='text: "password=\\"a b\\" canary-0123456789"\n')
    told = replace(REPORT, rows=(row, *ROWS[1:]))
    for text in (as_markdown(told), as_json(told), _winner(row, told), section("h", "so canary-0123456789", None)):
        assert "canary-0123456789" not in text and "***" in text
    assert json.loads(as_json(told))["rows"][0]["title"] == "so ***"
    assert yaml.safe_load(_winner(row, told)) == {"text": 'password="a b" ***'}
