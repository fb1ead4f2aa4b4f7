"""What stands around a problem's text and is no part of it: its number, a word such as "Question:", HTML tags. Pure.

A number is a label only where words follow it: "1. What is ..." has one, "1.5 + 2", "1. + 2" and "17: prime?" have
none. The text without labels only says which problems are the same one (`wording.normal_form`) and is never shown.
"""

# ruff: noqa: RUF001 - characters that look alike are what this is about
from __future__ import annotations

import html
import re

_TAGS = (
    "p", "div", "span", "b", "i", "u", "em", "strong", "h[1-6]", "html", "body", "section", "article", "font",
    "center", "pre", "code", "blockquote", "ul", "ol", "li", "problem", "question", "prompt", "sup", "sub",
)  # fmt: skip
_GIVEN = r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=]+))*\s*/?"""
_TAG = re.compile(rf"<(/?)({'|'.join(_TAGS)}){_GIVEN}>", re.IGNORECASE)
_BREAK = re.compile(rf"<(?:br|hr|wbr){_GIVEN}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z]\w{1,30});")

_NAMES = (
    "question|problem|problem statement|exercise|exercice|task|prompt|user|human|aufgabe|frage|problème|ejercicio|"
    "pregunta|problema|题目|问题|問題|题"
)
_MARKS = r"[\s#>*_~`]*"
_NUMBER = r"(?:no|nr)?[.#№]?[^\S\n]*\d{1,4}(?:\.\d{1,3})*[a-z]?"
_POINTS = r"(?:[^\S\n]*[(\[][^()\[\]\n]{0,30}(?:points?|pts?|marks?|punkte)[)\]])?"
_END = r"(?:[*_]*[^\S\n]*(?:[:：)\]](?!//)|[.．](?=\s|[*_]|$)|[-–—](?=\s))|[*_]*[^\S\n]*\n)"
_NAMED = re.compile(
    rf"{_MARKS}[(\[]?(?:(?:{_NAMES})[^\S\n]*(?:{_NUMBER})?|q[^\S\n]*(?:{_NUMBER})?(?=\W)){_POINTS}{_END}{_MARKS}",
    re.IGNORECASE,
)
_WORDS = r"""(?=["'“„«(\[]{0,2}(?:\$|\\[(\[]|[^\W\d_]|\d{1,7}(?:[.,]\d+)?\s+[^\W\d_]{2}))"""
_NUMBERED = re.compile(
    rf"{_MARKS}(?:\d{{1,4}}[^\S\n]*(?:[*_]*[.)．][*_]*\s+|、\s*)|[(（]\d{{1,4}}[)）]\s*){_MARKS}{_WORDS}"
)
_ASKED = re.compile(r"(?:\b(?:answer|solution|antwort|lösung)|(?:\n|(?<=[.?!])\s)\s*a)\s*[:：][\s*_]*$", re.IGNORECASE)
_SAYS = re.compile(r"\w")
_MOST = 8  # labels of one problem


def bare(text: str) -> str:
    """A problem's text without what labels it; the text itself where nothing would be left."""
    found = _without_html(text) if "<" in text or "&" in text else text
    for _ in range(_MOST):
        match = _NAMED.match(found) or _NUMBERED.match(found)
        rest = found[match.end() :] if match and match.end() else found
        if asked := _ASKED.search(rest[-60:]):
            rest = rest[: len(rest) - len(rest[-60:]) + asked.start()]
        if rest == found or not _SAYS.search(rest):
            break
        found = rest
    return found


def _without_html(text: str) -> str:
    closed = {match[2].casefold() for match in _TAG.finditer(text) if match[1]}

    def shown(match: re.Match[str]) -> str:
        name = match[2].casefold()
        if name not in closed:  # "0 <i> j" is a comparison
            return match[0]
        return ("" if match[1] else "^" if name == "sup" else "_") if name in ("sup", "sub") else " "

    found = _BREAK.sub("\n", _TAG.sub(shown, text))
    found = _ENTITY.sub(lambda match: html.unescape(match[0]), found)
    return found if _SAYS.search(found) else text
