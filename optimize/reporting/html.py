"""HTML with plotly figures that needs no network: one file, with plotly.js packed inside.

Packed (gzip, base64) plotly.js takes 2 MB instead of 4.8, and no text in it can be taken for something else. Browsers
since 2023 unpack it themselves; one that can't says so on the page.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from pdr_dspy.secrets.redaction import redacted_json
from pdr_dspy.terminal import printable

STYLE = (
    "html{color-scheme:light;background:#fff}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}"
    "td,th{padding:.2rem .6rem;text-align:right;"
    "border-bottom:1px solid #ddd;vertical-align:top;white-space:nowrap}"
    "td.text,th.text{text-align:left;white-space:normal}"
    ".wide{overflow-x:auto}.figure{min-height:320px}pre{background:#f6f6f6;padding:.6rem;overflow:auto}"
    "summary{cursor:pointer}"
)

_DRAW = """
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), c => c.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.head.append(script);
  for (const box of document.querySelectorAll(".figure")) {
    const figure = JSON.parse(box.firstElementChild.textContent);
    box.replaceChildren();
    await Plotly.newPlot(box, figure.data, figure.layout, {responsive: true, displaylogo: false});
  }
  document.documentElement.dataset.drawn = "yes";
})().catch(error => document.body.prepend("The figures can't be drawn by this browser: " + error));
"""


def shown(text: str) -> str:
    """Somebody's text within HTML: without secrets, and never markup."""
    return html.escape(printable(text))


def drawn(text: str) -> str:
    """Somebody's text within a plotly figure, which knows some markup."""
    return html.escape(text, quote=False)


def figure_box(figure: Any) -> str:
    """A plotly figure as an element of a `document`."""
    # No "<" of a text may end the script element that holds it.
    data = json.dumps(redacted_json(json.loads(figure.to_json()))).replace("<", "\\u003c")
    return f'<div class="figure"><script type="application/json">{data}</script></div>'


def document(title: str, parts: Sequence[str]) -> str:
    """An HTML document of elements, drawn where there are figures among them."""
    body = "".join(parts)
    draw = ""
    if 'class="figure"' in body:
        draw = f'<script type="text/plain" id="plotly">{_plotly()}</script><script>{_DRAW}</script>'
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{shown(title)}</title>'
        f"<style>{STYLE}</style></head><body>{body}{draw}</body></html>\n"
    )


def sheet(title: str, heading: str, note: str, figure: Any | None) -> str:
    """A document of one figure (or of the note alone, where there is none)."""
    return document(title, [section(heading, note, figure)])


def section(heading: str, note: str, figure: Any | None) -> str:
    """A heading, a note, a figure."""
    words = f"<h2>{shown(heading)}</h2><p>{shown(note)}</p>"
    return words if figure is None else words + figure_box(figure)


def rows_table(head: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int] = (0, 1)) -> str:
    """Rows as a table; `text` are the columns that are no numbers."""

    def row(cells: Sequence[str], tag: str) -> str:
        made = (f"<{tag}{' class=text' if i in text else ''}>{shown(c)}</{tag}>" for i, c in enumerate(cells))
        return f"<tr>{''.join(made)}</tr>"

    return f"<div class=wide><table>{row(head, 'th')}{''.join(row(r, 'td') for r in rows)}</table></div>"


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 6, mtime=0)).decode()
