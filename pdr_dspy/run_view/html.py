"""A run in a notebook: HTML that needs nothing from anywhere, no scripts, and takes its colours from the page.

Every text is escaped; long ones are folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from pdr_dspy.run_view.data import CallData, DraftData, RoundData, RunData
from pdr_dspy.run_view.wording import (
    draft_title,
    equality_of,
    failure_title,
    outcome_of,
    round_title,
    safe,
    tokens_of,
    totals,
    value,
)

_FOLDED = 300
"""Characters: a longer text is folded."""

_STYLE = """
.pdr-run{color-scheme:light dark;font:13px/1.4 system-ui,sans-serif;color:inherit;max-width:1200px}
.pdr-run h4{margin:.9em 0 .3em;font-size:14px}
.pdr-run table{border-collapse:collapse;color:inherit;background:none}
.pdr-run td,.pdr-run th{padding:1px 8px;text-align:left;border:0;background:none;color:inherit;white-space:nowrap}
.pdr-run .n{text-align:right;font-variant-numeric:tabular-nums}
.pdr-run .dim{opacity:.7}
.pdr-run .track{position:relative;width:100%;min-width:200px;height:12px;background:rgba(128,128,128,.15)}
.pdr-run .bar{position:absolute;top:1px;height:10px;min-width:2px;background:#3b82c4}
.pdr-run .bar.bad{background:#c4503b}.pdr-run .bar.again{background:#8a8a8a}
.pdr-run .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:8px}
.pdr-run .card{border:1px solid rgba(128,128,128,.4);border-radius:4px;padding:6px 8px;min-width:0}
.pdr-run .card.accepted{border:2px solid #3f9d5a}
.pdr-run .text{white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0}
.pdr-run tr>.n:first-child{text-align:left}
.pdr-run .bad{color:#c4503b}.pdr-run .bar.bad{color:inherit}
.pdr-run summary{cursor:pointer;overflow-wrap:anywhere}
""".strip()


def html(data: RunData) -> str:
    """A run as HTML, for `_repr_html_`."""
    return f'<div class="pdr-run"><style>{_STYLE}</style>{"".join(_parts(data))}</div>'


def _parts(data: RunData) -> Iterator[str]:
    yield f"<h4>{_safe(data.name)}</h4><div>{_safe(data.topology)}, budget {_safe(data.budget)}</div>"
    yield _table((_cells([f"<b>{name}</b>", _safe(said)]) for name, said in totals(data)))
    yield f'<h4>Calls <span class="dim">{data.seconds:.2f} s from the first to the last</span></h4>'
    yield _table((_call(call, data.seconds) for call in data.calls), wide=True)
    for number, this in enumerate(data.rounds):
        yield from _round(number, this)
    if data.rounds:
        yield f'<div class="dim">agreement: {_safe(equality_of(data))}</div>'
    if data.failed:
        yield "<h4>Failed calls</h4>"
        for failed in data.failed:
            yield f'<div class="bad">{_safe(failure_title(failed))}</div>{_text(failed.text)}'
    yield "<h4>Stages</h4>" + _stages(data)


def _call(call: CallData, whole: float) -> str:
    begin, length = (100 * part / whole if whole > 0 else 0.0 for part in (call.started, call.seconds))
    begin = min(max(begin, 0.0), 99.5)
    kind = "bar bad" if call.outcome != "ok" else "bar again" if call.replayed else "bar"
    bar = f'<div class="{kind}" style="left:{begin:.2f}%;width:{max(0.5, min(length, 100 - begin)):.2f}%"></div>'
    said = f'<span class="bad">{_safe(outcome_of(call))}</span>'
    return (
        f'<tr><td>{_safe(call.name)}</td><td style="width:50%"><div class="track">{bar}</div></td>'
        f'<td class="n">{call.seconds:.2f} s</td><td>{_safe(tokens_of(call))}</td><td>{said}</td></tr>'
    )


def _round(number: int, this: RoundData) -> Iterator[str]:
    yield f"<h4>{_safe(round_title(number, this))}</h4>"
    for workspace in this.workspaces:
        size = "?" if workspace.tokens is None else f"{workspace.tokens:,}"
        of = "" if workspace.kappa is None else f" of kappa {workspace.kappa:,}"
        readers = ", ".join(str(index + 1) for index in workspace.readers) or "nobody"
        yield f'<div class="dim">workspace, {size} tokens{of}, read by {readers}</div>{_text(workspace.text)}'
    if this.drafts:
        yield f'<div class="grid">{"".join(map(_draft, this.drafts))}</div>'


def _draft(draft: DraftData) -> str:
    outputs = "".join(f"<b>{_safe(name)}</b>{_text(value(given))}" for name, given in draft.outputs.items())
    kind = "card accepted" if draft.accepted else "card"
    return f'<div class="{kind}"><div>{_safe(draft_title(draft))}</div>{outputs}{_text(draft.solution)}</div>'


def _stages(data: RunData) -> str:
    names = ("stage", "calls", "failed attempts", "in", "out", "thinking", "seconds", "longest")
    head = "<tr>" + "".join(f'<th class="n">{name}</th>' for name in names) + "</tr>"
    rows = (
        _cells(
            [
                _safe(each.stage), f"{each.calls}", f"{each.failures}", f"{each.prompt_tokens:,}",
                f"{each.completion_tokens:,}", f"{each.thinking_tokens:,}", f"{each.seconds:.2f}",
                f"{each.longest:.2f}",
            ],
            "n",
        )
        for each in data.stages
    )  # fmt: skip
    return _table([head, *rows])


def _text(text: str) -> str:
    shown = _safe(text.strip())
    if not shown:
        return ""
    if len(text) <= _FOLDED:
        return f'<div class="text">{shown}</div>'
    begin = _safe(" ".join(text[:100].split()))
    title = f'{begin}... <span class="dim">({len(text):,} characters)</span>'
    return f'<details><summary>{title}</summary><div class="text">{shown}</div></details>'


def _cells(cells: Iterable[str], kind: str = "") -> str:
    of = f' class="{kind}"' if kind else ""
    return "<tr>" + "".join(f"<td{of}>{cell}</td>" for cell in cells) + "</tr>"


def _table(rows: Iterable[str], *, wide: bool = False) -> str:
    style = ' style="width:100%"' if wide else ""
    return f"<table{style}>{''.join(rows)}</table>"


def _safe(text: str) -> str:
    return escape(safe(text))
