"""What a person calls the same problem: a normal form of its text that ways of writing it down do not change.

White space, letter case, unicode forms, punctuation, Markdown and LaTeX marks, labels such as "Problem 3:", HTML tags,
the order of the columns and their names do not count; words, numbers, operators and brackets do. The form only says
which problems are the same one and is shown to nobody, so it may be coarse: two problems that share it by chance fall
on one side, which harms nobody. What it must not do is take many problems for one; so marks that touch no word stay (a
maze is drawn in them).
"""

# ruff: noqa: RUF001 - characters that look alike are what this is about
from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from pdr_dspy.data.labels import bare
from pdr_dspy.data.problem import Problem

_SAME = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("·⋅∙", "×"),
        **dict.fromkeys("÷⁄", "/"),
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **{"≤": "<=", "≥": ">=", "≠": "!=", "√": " sqrt ", "π": " pi ", "…": "...", "。": ".", "、": ","},
    }
)
_COMMANDS = {
    **dict.fromkeys(("times", "cdot", "ast"), " × "),
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), "frac "),
    **{
        "div": "/",
        "le": "<=",
        "leq": "<=",
        "ge": ">=",
        "geq": ">=",
        "ne": "!=",
        "neq": "!=",
        "lbrace": "(",
        "rbrace": ")",
    },
    **dict.fromkeys(("left", "right", "big", "bigg", "displaystyle", "limits", "quad", "qquad", "boxed"), " "),
    **dict.fromkeys(("text", "textbf", "textit", "textrm", "emph", "mathrm", "mathbf", "mathit", "operatorname"), " "),
}
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_LATEX = re.compile(r"\\[a-z]|[_^]\{")
_COMMAND = re.compile(r"\\([a-z]+) ?")
_DELIMITERS = re.compile(r"\\[()\[\],;:! ]|\$|\\\\|~")
_LINE_MARKS = re.compile(r"^[ \t]*(?:#{1,6}|[-*+>•]) ", re.MULTILINE)
_MARKS = r"""[.,;:!?'"`*_^~]"""
# Each begins with what it looks for, and looks behind from there: so the search jumps from one to the next.
_THOUSANDS = re.compile(r"(?:,(?<=\d,)|\{,\}(?<=\d\{,\}))(?=\d{3}(?!\d))")
_TIMES = re.compile(r"\*(?<=[\w)]\*)(?=[\w(])| \* (?=\S)")
_AFTER = re.compile(rf"{_MARKS}(?<=[\w)\]}}%]{_MARKS}){_MARKS}{{0,3}}(?=[\s\w()\[\]{{}}/+=<>-]|$)")
_BEFORE = re.compile(rf"{_MARKS}(?<![^\s()\[\]{{}}/+=<>-]{_MARKS}){_MARKS}{{0,3}}(?=[\w(\[{{])")
_APART = re.compile(r" [.,;:!?](?<=\w [.,;:!?])(?= \w| ?$)")
_DASH = re.compile(r"-(?! ?[\d(])")
_DASHED = re.compile(r"(?<=[^\W\d_])-(?=\d)")
_TOKEN = re.compile(r"\d+|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\d_]+|[^\s]")
_LABEL = r"(?:\( )?{} (?:[)\]] )?"
_HEADING = re.compile(r"(?:^| )(?:answer )?(?:options|choices)$")


def normal_text(text: str) -> str:
    """The tokens of a text that count, with a blank between them."""
    plain = _unicode(text).strip()
    found = _LINE_MARKS.sub(" ", plain)
    if _LATEX.search(found):
        found = _THOUSANDS.sub("", found).replace("\\{", "(").replace("\\}", ")")
        found = _COMMAND.sub(lambda m: _COMMANDS.get(m[1], f" {m[1]} "), _DELIMITERS.sub(" ", found))
        found = found.replace("{", " ").replace("}", " ")
    else:
        found = _THOUSANDS.sub("", _DELIMITERS.sub(" ", found))
    found = _TIMES.sub(" × ", found)  # what is left of stars are marks
    for pattern in (_AFTER, _BEFORE):
        found = pattern.sub(" ", found)
    found = _APART.sub(" ", " ".join(found.split()))
    # A minus is one before a number; other dashes join words or part sentences.
    found = _DASH.sub(" ", _DASHED.sub(" ", found)) if _has_word(found) else found
    return " ".join(_TOKEN.findall(found)) or " ".join(plain.split())


def normal_form(problem: Problem, *, labelled: bool = False) -> str:
    """A problem's normal form: of its inputs whatever their names and order, and of its options in any order.

    Options that an input lists at its end count once, so it does not matter whether the text has them.

    Args:
        problem: The problem.
        labelled: Count what labels it as well (`labels.bare`), as the second rule of the split did.
    """
    options = [normal_text(option) for option in problem.options]
    texts = [normal_text(text if labelled else bare(text)) for text in problem.inputs.values()]
    if options:
        listed = _listed(tuple(options))
        texts = [_HEADING.sub("", _without(text, listed)) for text in texts]
    return "\n".join([*sorted(text for text in texts if text), *sorted(options)])


def normal_answer(problem: Problem) -> str | None:
    """The reference answer's normal form; of a choice the option's own, which keeps it when options change places."""
    answer = problem.answer
    if answer is None:
        return None
    option = problem.option(answer.strip(" ().").upper())
    return normal_text(answer if option is None else option)


def _unicode(text: str) -> str:
    """One way to write each character, in small letters, without those that show nothing."""
    if text.isascii():
        return text.casefold()
    found = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_SAME)
    return _UNSEEN.sub("", found)


def _has_word(text: str) -> bool:
    return any(char.isalpha() for char in text)


@lru_cache(maxsize=1)
def _listed(options: tuple[str, ...]) -> re.Pattern[str]:
    """All options one after the other, each with its letter or without."""
    parts = (
        f"(?:{_LABEL.format(chr(ord('a') + number))})?{re.escape(option)}" for number, option in enumerate(options)
    )
    return re.compile("(?:^| )" + " ".join(parts) + "(?: |$)")


def _without(text: str, listed: re.Pattern[str]) -> str:
    return listed.sub(" ", text, count=1).strip()
