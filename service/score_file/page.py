"""A file's scores as a page that stands alone: the table, and what samples' own values tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from metrics.core.metric import Sample
from metrics.suites.wording import Lang, picked, worded
from service.figures.html import in_html, page, table_html
from service.figures.words import headed, number, precision, short
from service.score_file.answers import score_table
from service.score_file.report import BINS, Correlated, Distribution, Scored, details
from service.score_file.wording import WORDS, told

LONGEST_TEXT = 400  # characters of a text of a sample
WIDTH, HEIGHT = 240, 48  # of a histogram, in pixels
OPEN = "°"  # marks a correlation whose interval holds 0
DEEPEST = 0.5  # how far the colour of a correlation of 1 covers the page

Directions = Mapping[str, bool | None]  # of scores, by name: whether higher is better


def as_page(scored: Scored, lang: Lang) -> bytes:
    """HTML in UTF-8 that loads nothing and runs nothing; every text in it is escaped."""
    say = WORDS[lang]
    table = score_table(scored, lang)
    left_out = told(scored.left_out, lang)
    notes = [note for note in table.notes if note not in left_out]  # they have a part of their own
    found = details(scored)
    higher = scored.directions
    sections = [
        _suite(scored, lang),
        table_html(replace(table, notes=notes)),
        _section(say["why"], _reasons(scored, lang)),
        _section(say["left_out"], _list(left_out)),
        _section(say["distributions"], _distributions(found.distributions, higher, lang)),
        _section(say["correlations"], _matrix(found.correlations, higher, lang)),
        _section(
            say["worst"],
            "\n".join(
                f"<h3>{_titled(one.score, higher, one.metric)}</h3>"
                f"{_worst(one.samples, scored.samples, lang)}"
                for one in found.worst
            ),
        ),
    ]
    return page(table.title, "\n".join(filter(None, sections)), lang)


def _suite(scored: Scored, lang: Lang) -> str:
    if scored.chosen is None:
        return ""
    say, suite = WORDS[lang], worded(scored.chosen.suite, lang)
    language = say["language"].format(scored.chosen.language or say["unknown"])
    about = say["suite"].format(name=suite.name, about=suite.about)
    return f'<p>{in_html(about)}<br><span class="soft">{in_html(language)}</span></p>'


def _reasons(scored: Scored, lang: Lang) -> str:
    if scored.chosen is None:
        return ""
    say = WORDS[lang]
    rows = []
    for one, said in picked(scored.chosen, lang):
        name = one.metric.name
        if name != one.entry.name:
            name = say["in_place"].format(name=name, entry=one.entry.name)
        rows.append([in_html(name), in_html(said.why), in_html(said.cannot_see)])
    return _grid([say["metric"], say["reason"], say["cannot_see"]], rows)


def _distributions(found: Sequence[Distribution], higher: Directions, lang: Lang) -> str:
    say = WORDS[lang]
    rows = []
    for one in found:
        places = precision([(value, None) for value in one.quantiles])
        ends = " · ".join(number(value, places) for value in one.quantiles)
        rows.append(
            [
                _titled(one.score, higher, one.metric),
                _histogram(one, ends),
                in_html(ends),
                f"{one.n}",
            ]
        )
    if not rows:
        return ""
    note = f'<p class="notes">{in_html(say["of_samples"])}</p>'
    return note + _grid([say["score"], "", say["quantiles"], "n"], rows)


def _histogram(one: Distribution, ends: str) -> str:
    most, wide = max(one.counts), WIDTH / BINS
    begin = (BINS - len(one.counts)) // 2  # a value that all samples have is in the middle
    bars = "".join(
        f'<rect x="{(begin + at) * wide:.1f}" y="{HEIGHT * (1 - count / most):.1f}" '
        f'width="{wide - 1:.1f}" height="{HEIGHT * count / most:.1f}"/>'
        for at, count in enumerate(one.counts)
        if count
    )
    size = f'width="{WIDTH}" height="{HEIGHT + 1}" viewBox="0 0 {WIDTH} {HEIGHT + 1}"'
    base = f'<path class="base" d="M0 {HEIGHT + 0.5}H{WIDTH}"/>'
    label = in_html(f"{one.score}: {ends}; {', '.join(map(str, one.counts))}")
    return f'<svg {size} role="img" aria-label="{label}" class="point">{bars}{base}</svg>'


def _matrix(found: Sequence[Correlated], higher: Directions, lang: Lang) -> str:
    """Spearman's above the diagonal, Pearson's below."""
    if not found:
        return ""
    say = WORDS[lang]
    names = list(dict.fromkeys(name for one in found for name in (one.a, one.b)))
    filled = {(name, name): '<td class="soft">·</td>' for name in names}
    for one in found:
        pair = f"{one.a} – {one.b}, n {one.n}:"
        ranks = f"{pair} {say['spearman']}", one.spearman, one.spearman_interval
        linear = f"{pair} {say['pearson']}", one.pearson, one.pearson_interval
        filled |= {(one.a, one.b): _coefficient(*ranks), (one.b, one.a): _coefficient(*linear)}
    head = "".join(f"<th>{_titled(name, higher)}</th>" for name in names)
    body = "\n".join(
        f'<tr><th class="left">{_titled(row, higher)}</th>'
        + "".join(filled[row, column] for column in names)
        + "</tr>"
        for row in names
    )
    most = max(one.n for one in found)
    fewer = "; ".join(f"{one.a} – {one.b}: {one.n}" for one in found if one.n < most)
    notes = [say["which"], say["correlated_interval"].format(level=found[0].level, mark=OPEN)]
    notes += [f"n: {most}.", *([say["apart"].format(fewer)] if fewer else [])]
    return (
        f'<p class="notes">{in_html(" ".join(notes))}</p>'
        f'<div class="wide"><table><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _coefficient(what: str, value: float | None, interval: tuple[float, float] | None) -> str:
    """A cell: the value, marked where its interval holds 0, and the interval below it."""
    if value is None:
        return "<td>–</td>"
    share = f"{100 * DEEPEST * abs(value):.0f}%"
    colour = "--bar" if value >= 0 else "--against"
    style = f"background: color-mix(in srgb, var({colour}) {share}, transparent)"
    text = number(value, 2)
    if interval is None:
        return f'<td title="{in_html(f"{what} {text}")}" style="{style}">{text}</td>'
    ends = f"[{number(interval[0], 2)}, {number(interval[1], 2)}]"
    mark = f"<sup>{OPEN}</sup>" if interval[0] <= 0 <= interval[1] else ""
    return (
        f'<td title="{in_html(f"{what} {text} {ends}")}" style="{style}">{text}{mark}'
        f'<br><small class="soft">{ends}</small></td>'
    )


def _worst(found: Sequence[tuple[int, float]], samples: Sequence[Sample], lang: Lang) -> str:
    say = WORDS[lang]
    places = precision([(value, None) for _, value in found])
    rows = []
    for at, value in found:
        sample = samples[at]
        given = (sample.prompt or "", *sample.outputs[:1], *(sample.references[:1] or ("",)))
        texts = [in_html(short(text, LONGEST_TEXT)) for text in given]
        rows.append([in_html(short(sample.id, LONGEST_TEXT)), number(value, places), *texts])
    head = [say["sample"], say["value"], say["prompt"], say["output"], say["reference"]]
    filled = [at for at in range(len(head)) if at < 2 or any(row[at] for row in rows)]
    return _grid([head[at] for at in filled], [[row[at] for at in filled] for row in rows])


def _section(title: str, content: str) -> str:
    return f"<h2>{in_html(title)}</h2>\n{content}" if content else ""


def _list(sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{in_html(one)}</li>" for one in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already; empty without rows."""
    if not rows:
        return ""
    body = "\n".join(
        "<tr>" + "".join(f'<td class="left">{cell}</td>' for cell in row) + "</tr>" for row in rows
    )
    top = "".join(f'<th class="left">{in_html(one)}</th>' for one in head)
    return (
        f'<div class="wide"><table class="texts"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _titled(score: str, higher: Directions, metric: str | None = None) -> str:
    better = higher.get(score if metric is None else f"{metric}.{score}", True)
    return in_html(headed(score, better))
