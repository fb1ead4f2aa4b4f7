"""Tables, the README's generated parts, and the paper's numbers in it."""

from __future__ import annotations

import pytest

from experiments.questions.__main__ import QUESTIONS
from experiments.questions.markdown import percent, points, spliced, table
from experiments.questions.paper import MARKS, as_markdown, load_paper
from experiments.questions.plots import Chart, Dot, Panel, Series
from experiments.questions.report import README, Answer, drawn, part, with_paper, write_files, write_readme
from pdr_dspy.evaluation import Difference, Interval


def test_a_table_aligns_words_left_and_numbers_right() -> None:
    text = table(["name", "n", "holds"], [["a|b", "1.0", "yes"], ["c", "-", "no"]])
    assert text.splitlines() == [
        "| name | n | holds |",
        "| --- | ---: | --- |",
        "| a\\|b | 1.0 | yes |",
        "| c | - | no |",
    ]


def test_numbers_come_with_their_intervals() -> None:
    assert percent(0.5, Interval(0.4, 0.61)) == "50.0 [40.0-61.0]"
    assert points(Difference(0.162, Interval(-0.01, 0.231), 9, 5, 3)) == "+16.2 [-1.0 to +23.1]"


def test_splicing_replaces_one_part_and_twice_is_as_good_as_once() -> None:
    document = "a\n<!-- table:x -->\nold\n<!-- /table:x -->\nb\n<!-- table:y -->\n<!-- /table:y -->\n"
    once = spliced(document, "table", "x", r"new \1 | text")
    assert "old" not in once and r"new \1 | text" in once and once.endswith("<!-- table:y -->\n<!-- /table:y -->\n")
    assert spliced(once, "table", "x", r"new \1 | text") == once
    for broken in ("", document + document, "<!-- /table:x --> <!-- table:x -->"):
        with pytest.raises(ValueError, match="table:x"):
            spliced(broken, "table", "x", "new")


def test_the_readme_has_a_place_for_every_answer_and_the_papers_numbers_as_the_data_file_has_them() -> None:
    text = README.read_text(encoding="utf-8")
    for question in QUESTIONS:
        assert spliced(text, "table", question, "x") != text
        assert f"`python -m experiments.questions {question}" in text
    assert with_paper(text) == text


def test_every_table_of_the_paper_says_where_it_is_from() -> None:
    paper = load_paper()
    for question in QUESTIONS:
        tables = getattr(paper, question)
        assert tables
        for each in tables:
            assert each.source and {len(row) for row in each.rows} == {len(each.columns)}
            assert MARKS[each.mark] in as_markdown(tables)
    by_row = {row[0]: row for row in paper.frontier[1].rows}
    assert by_row["PDR"][6] == "86.7" and by_row["SR"][6] == "81.5" and by_row["long CoT"][6] == "76.9"


def test_an_answer_is_written_beside_its_plots(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("project")
    dots = (Dot(100, 40, 30, 50, "a"), Dot(200, 60, 50, 70, "b"))
    panels = (Panel("path", "tokens", (Series("pdr", dots),), log=True), Panel("all", "tokens", (Series("pdr", dots),)))
    names = Panel("", "rule", (Series("x", (Dot("default", 1, 0, 2), Dot("correct", 2, 1, 3)), line=False),))
    answer = Answer("frontier", "**text**", (Chart("plot", "a plot", panels), Chart("rules", "rules", (names,))), {})
    pictures = drawn(answer)
    assert all(p.png.startswith(b"\x89PNG") and "plotly" in p.html.lower() for p in pictures)
    text = write_files(answer, pictures, "made by hand", folder / "report").read_text(encoding="utf-8")
    assert text == part(answer, "made by hand", "") + "\n" and "![a plot](plot.png)" in text
    readme = folder / "experiments" / "README.md"
    readme.parent.mkdir()
    readme.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    for _ in range(2):
        write_readme(answer, pictures, "made by hand", readme, folder / "docs" / "figures")
        written = readme.read_text(encoding="utf-8")
        assert written.count("**text**") == 1 and "![a plot](../docs/figures/plot.png)" in written
    assert (folder / "docs" / "figures" / "rules.png").is_file()
