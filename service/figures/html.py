"""Tables as a page that stands alone: no script, nothing loaded, light and dark as the reader's
screen is; intervals are drawn as SVG in the rows."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from service.figures.table import LEFT, Bar, Panel, Table
from service.figures.terminal import scale
from service.figures.words import cells, number, plain, said

WIDTH, HEIGHT, EDGE = 240, 18, 6  # of a bar, in pixels; EDGE: room for the point at either end

PAGE = """\
<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --page: #fff; --soft: #5b6472; --line: #d9dde3;
  --bar: #2563a8; --against: #b3541e; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6e8eb; --page: #14171b; --soft: #9aa4b2; --line: #343a43;
  --bar: #7fb2ea; --against: #e8935f; }}
}}
body {{ margin: 2rem auto; padding: 0 1rem; max-width: 75rem; color: var(--ink);
  background: var(--page); font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.25rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem; }}
h3 {{ font-size: 1rem; margin: 1.2rem 0 .3rem; overflow-wrap: anywhere; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }}
th {{ border-bottom-width: 2px; }}
.left {{ text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }}
.texts td {{ vertical-align: top; }}
.texts th {{ white-space: nowrap; }}
svg {{ display: block; }}
.range {{ stroke: var(--bar); stroke-width: 3; opacity: .55; }}
.point {{ fill: var(--bar); }}
.zero {{ stroke: var(--soft); stroke-dasharray: 2 2; }}
.base {{ stroke: var(--line); }}
.soft {{ color: var(--soft); }}
.notes {{ color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
{content}
</body>
</html>
"""

TABLE = """\
<div class="wide"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>
<div class="notes">
{below}
</div>"""


def as_html(table: Table) -> bytes:
    """The table, a bar for each interval, its legend and its notes."""
    return page(table.title, table_html(table))


def page(title: str, content: str, lang: str = "en") -> bytes:
    """A page of HTML that is there already."""
    return PAGE.format(title=in_html(title), content=content, lang=lang).encode()


def table_html(table: Table) -> str:
    """The table without a page around it."""
    shown = table.shown()
    head = [_cell("th", in_html(title), column.kind in LEFT) for _, column, title in shown]
    drawn = _bars(table)
    body = []
    for at, row in enumerate(cells(table)):
        line = []
        for (_, column, _), text in zip(shown, row, strict=True):
            best = (at, column.name) in table.best and text
            inner = f"<strong>{in_html(text)}</strong>" if best else in_html(text)
            mark = table.marks.get((at, column.name))
            inner += f"<sup>{in_html(mark)}</sup>" if mark else ""
            line.append(_cell("td", inner, column.kind in LEFT))
        body.append(f"<tr>{''.join(line)}<td>{next(drawn, '')}</td></tr>")
    legend = "; ".join(f"{in_html(mark)}: {in_html(text)}" for mark, text in table.legend)
    below = [f"<p>{legend}.</p>"] if legend else []
    if table.notes:
        below.append(f"<ul>{''.join(f'<li>{in_html(note)}</li>' for note in table.notes)}</ul>")
    return TABLE.format(
        head="".join([*head, "<td></td>"]),
        body="\n".join(body),
        below="\n".join(below),
    )


def in_html(text: str) -> str:
    """The text as HTML that shows it, also between quotes."""
    return escape(plain(text))


def _cell(tag: str, inner: str, left: bool) -> str:
    opened = f'{tag} class="left"' if left else tag
    return f"<{opened}>{inner}</{tag}>"


def _bars(table: Table) -> Iterator[str]:
    """A drawing for each row; the rows of a panel are on one scale."""
    places = iter(table.digits)
    for panel in table.panels:
        low, high = scale(panel)
        for bar in panel.bars:
            yield _bar(bar, panel, low, high, next(places))


def _bar(bar: Bar, panel: Panel, low: float, high: float, places: int) -> str:
    if bar.value is None:
        return ""

    def x(value: float) -> str:
        part = (value - low) / (high - low) if high > low else 0.5
        return f"{EDGE + part * (WIDTH - 2 * EDGE):.1f}"

    middle = HEIGHT / 2
    parts = []
    if panel.zero:
        parts.append(f'<path class="zero" d="M{x(0.0)} 0V{HEIGHT}"/>')
    told = f"{bar.label}: {number(bar.value, places)}"
    if bar.interval is not None:
        begin, end = bar.interval
        parts.append(f'<path class="range" d="M{x(begin)} {middle}H{x(end)}"/>')
        told += f" {said(bar.interval, 'interval', places)}"
    parts.append(f'<circle class="point" cx="{x(bar.value)}" cy="{middle}" r="4"/>')
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{in_html(told)}">{"".join(parts)}</svg>'
