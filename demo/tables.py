"""What the demo prints. A value is never shown without its interval where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from assay import ComparisonResult, Evaluation, Leaderboard, Sample, Score

PERCENT = frozenset({"bleu", "chrf"})  # on their reference implementation's scale, 0 to 100


def scores(found: Mapping[str, Evaluation], names: Sequence[str], narrow: bool = False) -> Table:
    """A score a line, a system a column; the best value of a line is bold.

    Narrow, the interval stands below its value.
    """
    table = plain("", *found)
    for name in names:
        line = {system: _find(one.scores, name) for system, one in found.items()}
        best = _best(list(line.values()))
        some = next(score for score in line.values() if score is not None)
        cells = [_cell(score, best, narrow) for score in line.values()]
        table.add_row(f"{name} {arrow(some)}", *cells)
    return table


def leaderboard(board: Leaderboard) -> Table:
    table = plain("rank", "could be", "system", "value", "vs next")
    table.show_edge = table.pad_edge = False
    table.columns[2].justify = "left"
    for row in board.rows:
        first, last = row.rank_interval
        table.add_row(
            str(row.rank),
            str(first) if first == last else f"{first}–{last}",
            row.system,
            number(board.metric, row.value),
            p_value(row.p_vs_next),
        )
    return table


def heading(board: Leaderboard) -> str:
    return f"{board.metric} {arrow(board)}"


def comparison(a: str, b: str, results: Sequence[ComparisonResult]) -> Table:
    table = plain("", "difference", "95% interval", "p", "verdict")
    for one in results:
        name = f"{one.name} {arrow(one)}"
        if one.error or one.difference is None:
            table.add_row(name, "", "", "", Text(one.error or "no value", style="yellow"))
            continue
        better = a if (one.difference > 0) == one.higher_is_better else b
        told = f"{better} is better" if one.judged else "they differ"
        verdict = told if one.significant else "could be chance"
        table.add_row(
            name,
            number(one.name, one.difference, signed=True),
            _interval(one.name, one.interval, signed=True),
            p_value(one.p_corrected),
            verdict,
        )
    return table


def worst(score: str, samples: Sequence[Sample], width: int) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column(score, justify="right")
    table.add_column("sample")
    for column in ("reference", "output"):
        table.add_column(column, width=width, no_wrap=False)
    for one in samples:
        texts = [short(text, 2 * width - 12) for text in (one.references[0], one.outputs[0])]
        value = one.scores.get(score)
        table.add_row("–" if value is None else number(score, value), one.id, *texts)
    return table


def sliced(one: Evaluation, names: Sequence[str]) -> Table:
    """A score a column, a slice a line, the whole set last."""
    slices = sorted({score.slice for score in one.slices if score.slice})
    whole = {name: _find(one.scores, name) for name in names}
    heads = [f"{name} {arrow(s)}" for name, s in whole.items() if s is not None]
    table = plain("", "n", *heads)
    for part in slices:
        line = [_find([s for s in one.slices if s.slice == part], name) for name in names]
        table.add_row(part, _count(line), *(_cell(score) for score in line))
    table.add_row("all", _count(list(whole.values())), *(_cell(s) for s in whole.values()))
    return table


def warnings(found: Mapping[str, Evaluation]) -> list[str]:
    """What the scores warn of, each sentence once, and what could not be computed."""
    said: dict[str, list[str]] = {}
    for system, one in found.items():
        for score in one.scores:
            failed = [score.error["message"]] if score.error else []
            for sentence in (*score.warnings, *failed):
                at = said.setdefault(f"{score.metric}: {sentence}", [])
                at.extend([] if system in at else [system])
    return [
        sentence if len(at) == len(found) else f"{sentence} ({', '.join(at)})"
        for sentence, at in said.items()
    ]


def arrow(one: Score | Leaderboard | ComparisonResult) -> str:
    """Which direction is better; empty where neither is, as of a length."""
    return direction(one.higher_is_better) if one.judged else ""


def direction(higher_is_better: bool) -> str:
    return "↑" if higher_is_better else "↓"


def number(name: str, value: float, signed: bool = False) -> str:
    """As many digits as an interval of some dozen samples leaves any meaning to."""
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if name in PERCENT or size >= 10 else 2
    return f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"


def p_value(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def short(text: str, length: int) -> str:
    """On one line, and no longer than `length`."""
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def plain(*columns: str) -> Table:
    """A table of lines, the first column on the left."""
    table = Table(box=box.SIMPLE)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _cell(score: Score | None, best: float | None = None, narrow: bool = False) -> Text:
    if score is None or score.value is None:
        return Text("–", style="dim")
    text = Text(number(score.name, score.value), style="bold" if score.value == best else "")
    if score.interval is not None:
        text.append("\n" if narrow else " ")
        text.append(f"[{_interval(score.name, score.interval)}]", style="dim not bold")
    return text


def _interval(name: str, interval: Sequence[float] | None, signed: bool = False) -> str:
    if interval is None:
        return ""
    low, high = interval
    return f"{number(name, low, signed)}, {number(name, high, signed)}"


def _best(line: Sequence[Score | None]) -> float | None:
    known = [score for score in line if score is not None and score.value is not None]
    values = [score.value for score in known if score.value is not None]
    if not values:
        return None
    return max(values) if known[0].higher_is_better else min(values)


def _find(scores: Sequence[Score], name: str) -> Score | None:
    return next((score for score in scores if score.name == name), None)


def _count(line: Sequence[Score | None]) -> str:
    return str(next((score.n for score in line if score is not None), 0))
