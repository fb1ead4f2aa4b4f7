"""One spelling for characters and LaTeX commands: full width, fractions, roots, `\\dfrac`,
`\\text{...}`. Linear; pure."""

from __future__ import annotations

import re
import unicodedata

_WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_CIRCLED = {0x2460 + i: f"({i + 1})" for i in range(20)}
_ARABIC = {0x0660 + i: str(i) for i in range(10)} | {0x06F0 + i: str(i) for i in range(10)}
_MATHS = {
    "\u2212": "-", "\u2013": "-", "\u2012": "-", "\u2010": "-", "\u2011": "-", "\uff0d": "-", "\ufe63": "-",
    "\u00d7": r"\times ", "\u00b7": r"\cdot ", "\u22c5": r"\cdot ", "\u2219": r"\cdot ", "\u00f7": r"\div ",
    "\u2264": r"\le ", "\u2265": r"\ge ", "\u2a7d": r"\le ", "\u2a7e": r"\ge ", "\u2260": r"\ne ",
    "\u2248": r"\approx ",
    "\u221e": r"\infty ", "\u222a": r"\cup ", "\u2229": r"\cap ", "\u2208": r"\in ", "\u00b1": r"\pm ",
    "\u2205": r"\emptyset ", "\u211d": r"\mathbb{R} ", "\u2124": r"\mathbb{Z} ", "\u2115": r"\mathbb{N} ",
    "\u27e8": r"\langle ", "\u27e9": r"\rangle ", "\u2223": "|", "\u2032": "'", "\u2033": "''", "\u2044": "/",
    "\u2192": r"\to ",
    "\u03c0": r"\pi ", "\u03b8": r"\theta ", "\u03b1": r"\alpha ", "\u03b2": r"\beta ", "\u03b3": r"\gamma ",
    "\u03bb": r"\lambda ", "\u03c6": r"\phi ", "\u03c9": r"\omega ", "\u03c3": r"\sigma ", "\u00b0": r"^\circ ",
    "\u2220": r"\angle ", "\u2225": r"\parallel ", "\u220e": "", "\u25a1": "", "\u25a0": "", "\u00a2": " cents",
    "\u00ba": r"^\circ ", "\u25b3": r"\triangle ", "\u2245": r"\cong ", "\u2211": r"\sum ",
    "\u3000": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2002": " ", "\u2003": " ", "\u200a": " ",
    "\u200b": "", "\u200c": "", "\u200d": "", "\u2060": "", "\ufeff": "", "\u00ad": "",
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u3002": ".", "\u3001": ",", "\u3010": "[",
    "\u3011": "]",
}  # fmt: skip
_TABLE = str.maketrans({**{chr(k): v for k, v in (_WIDE | _CIRCLED | _ARABIC).items()}, **_MATHS})
_HALVES = {
    "\u00bd": "1/2", "\u2153": "1/3", "\u2154": "2/3", "\u00bc": "1/4", "\u00be": "3/4", "\u2155": "1/5",
    "\u2156": "2/5",
    "\u2157": "3/5", "\u2158": "4/5", "\u2159": "1/6", "\u215a": "5/6", "\u215b": "1/8", "\u215c": "3/8",
    "\u215d": "5/8",
    "\u215e": "7/8",
}  # fmt: skip
_HALF = re.compile(rf"([0-9]?)([{''.join(_HALVES)}])")
_HIGH = str.maketrans("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a\u207f", "0123456789-+n")
_POWER = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b\u207a\u207f]+")
_LOW = str.maketrans("\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089", "0123456789")
_INDEX = re.compile("[\u2080-\u2089]+")
_ROOT = re.compile("([\u221a\u221b\u221c]) ?(?:\\(([^()]{0,80})\\)|([0-9]+(?:\\.[0-9]+)?|[a-zA-Z]))")
_ROOTS = {"\u221a": "", "\u221b": "[3]", "\u221c": "[4]"}
_TRIANGLE = re.compile("[\u2206\u0394](?= ?[A-Z]{3}(?![A-Za-z]))")

_BOXLESS = (
    r"text|large|Large|LARGE|huge|Huge|small|textbf|textit|textrm|textnormal|textsf|texttt|mathrm|mathbf|mathit"
    r"|mathsf|mathtt|mathnormal|mbox"
    r"|hbox|boldsymbol|bm"
    r"|operatorname\*?|underline|emph|uline|displaystyle|ensuremath"
)
_WRAPPED = re.compile(rf"\\({_BOXLESS})\s*\{{([^{{}}]*)\}}")
_COLOURED = re.compile(r"\\(?:color|textcolor)\s*\{[a-zA-Z]+\}\s*(?:\{([^{}]*)\})?")
_COLOUR = re.compile(r"\\(?:color|textcolor)\s*\{[a-zA-Z]+\}")
_SEGMENT = re.compile(r"\\(?:overline|overleftrightarrow|widehat)\s*\{\s*([A-Z]{2,3})\s*\}")
_TYPESET = re.compile(
    r"\\(?:displaystyle|textstyle|limits|nolimits|left|right|[bB]igg?[lrm]?|mathrm|mathbf|mathit|boldsymbol|rm|bf|it)"
    r"(?![a-zA-Z])|\\!"
)
_BLANK = re.compile(r"(?:(?<!\\)\\[,;: ]|\\(?:thinspace|medspace|enspace|hspace\{[^{}]*\})(?![a-zA-Z])|~)")
_SHORT = re.compile(r"\\(frac|sqrt) ?([0-9a-zA-Z])(?: ?(?:([0-9a-zA-Z])|(?=\{)))?")
_THIN = re.compile(r"(?<=[0-9])(?:\{,\}|\\,|\\!,|,\\!)(?=[0-9]{3}(?![0-9]))")
_CHOOSE = re.compile(r"(?<![\w.{\\])([0-9]{1,4}) choose ([0-9]{1,4})(?![\w.])")
_COMMA = re.compile(r"(?<![0-9.,}])([0-9]+)\{,\}([0-9]+)(?![0-9.]|\{,\})")
_RENAMED = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:leq|leqslant|leqq)(?![a-zA-Z])"), r"\\le"),
    (re.compile(r"\\(?:geq|geqslant|geqq)(?![a-zA-Z])"), r"\\ge"),
    (re.compile(r"\\lt(?![a-zA-Z])|&lt;"), "<"),
    (re.compile(r"\\gt(?![a-zA-Z])|&gt;"), ">"),
    (re.compile(r"\\neq(?![a-zA-Z])|!="), r"\\ne "),
    (re.compile(r"<=(?!>)"), r"\\le "),
    (re.compile(r">="), r"\\ge "),
    (re.compile(r"\\(?:varnothing)(?![a-zA-Z])"), r"\\emptyset"),
    (re.compile(r"\\(?:lbrace)(?![a-zA-Z])"), r"\\{"),
    (re.compile(r"\\(?:rbrace)(?![a-zA-Z])"), r"\\}"),
    (re.compile(r"\\(?:mid|[lr]?vert)(?![a-zA-Z])"), "|"),
    (re.compile(r"\{ ?([^{}]{1,40}?) ?\\choose(?![a-zA-Z]) ?([^{}]{1,40}?) ?\}"), r"\\binom{\1}{\2}"),
    (re.compile(r"\\textcircled ?\{ ?([0-9]{1,2}) ?\}"), r"(\1)"),
    (re.compile(r"\\Delta(?= ?[A-Z]{3}(?![A-Za-z]))"), r"\\triangle"),
    (re.compile(r" ?\^ ?(?:\{ ?\\prime ?\\prime ?\}|\\prime ?\\prime(?![a-z]))"), "''"),
    (re.compile(r" ?\^ ?(?:\{ ?\\prime ?\}|\\prime(?![a-z]))"), "'"),
    (re.compile(r" ?\\colon(?![a-zA-Z]) ?"), ":"),
    (re.compile(r"\\\$"), "USD "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\(?:dots|ldots|cdots)(?![a-zA-Z])"), "..."),
)
_DEGREE = re.compile(r" ?\^ ?(?:\{ ?(?:\\circ|o|\\degree) ?\}|\\circ(?![a-zA-Z]) ?)|\\degree(?![a-zA-Z]) ?")


def characters(text: str) -> str:
    """Full width, circled and vulgar-fraction characters, roots, powers and signs, as ASCII and LaTeX."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)  # a letter with its accent may be written as two characters
    text = _HALF.sub(lambda m: (f"{m[1]} " if m[1] else "") + _HALVES[m[2]], text)
    text = _POWER.sub(lambda m: f"^{{{m[0].translate(_HIGH)}}}", text)
    text = _INDEX.sub(lambda m: f"_{{{m[0].translate(_LOW)}}}", text)
    text = _TRIANGLE.sub(r"\\triangle ", text).translate(_TABLE)
    return _ROOT.sub(lambda m: f"\\sqrt{_ROOTS[m[1]]}{{{m[2] or m[3]}}}", text)


def commands(text: str) -> str:
    """LaTeX without what only sets it in type, and one name for each command."""
    # `{,}` keeps LaTeX from setting a blank behind a comma of a number: before three digits of thousands.
    text = _COMMA.sub(lambda m: m[0] if len(m[2]) == 3 and m[1] != "0" else f"{m[1]}.{m[2]}", text)
    text = _CHOOSE.sub(r"\\binom{\1}{\2}", _THIN.sub(",", text))
    if "\\" in text or "&" in text or "=" in text:
        for pattern, name in _RENAMED:
            text = pattern.sub(name, text)
        text = _SEGMENT.sub(r"\1", text)
        for _ in range(3):  # wrappers in one another
            before = text
            text = _COLOURED.sub(lambda m: m[1] if m[1] is not None else "", text)
            text = _WRAPPED.sub(_unwrapped, text)
            if text == before:
                break
        text = _DEGREE.sub(r"^\\circ ", _COLOUR.sub("", text))
        text = _BLANK.sub(" ", _TYPESET.sub("", text))
        text = _SHORT.sub(_braced, text)
    return text


def _unwrapped(found: re.Match[str]) -> str:
    # A word keeps its distance from what stands before and behind it; `\mathrm{e}` is a letter.
    inner = found[2]
    letter = len(inner.strip()) == 1 and found[1].startswith("math")
    return inner if letter and not found.string[: found.start()][-1:].isdigit() else f" {inner} "


def _braced(found: re.Match[str]) -> str:
    name, first, second = found.groups()
    if name == "sqrt":
        return f"\\sqrt{{{first}}}{second or ''}"
    return f"\\frac{{{first}}}" + (f"{{{second}}}" if second else "")
