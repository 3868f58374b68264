"""Curves in a terminal: a line a checkpoint, its value a dot between the ends of its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from demo import tables

LABELS = 60  # columns that names and numbers take
WIDEST = 44


def plot(name: str, curve: Sequence[Mapping[str, Any]], width: int) -> Text:
    """One score from the start to the last checkpoint, all on one scale."""
    points = [(one, find(one, name)) for one in curve]
    known = [point for _, point in points if point is not None and point["value"] is not None]
    if not known:
        return Text(f"  {name}: no values", style="dim")
    ends = [end for point in known for end in point["interval"] or (point["value"],)]
    columns = max(12, min(WIDEST, width - LABELS))
    judged = known[0].get("judged", True)
    better = tables.direction(known[0]["higher_is_better"]) if judged else ""
    text = Text(f"  {name} {better}\n", style="bold")
    for one, point in points:
        label = f"step {one['step']}" if one["id"] else "start"
        text.append(f"    {label:8} ", style="bold" if one["best"] else "not bold")
        if point is None or point["value"] is None:
            text.append("–\n", style="dim not bold")
            continue
        low, high = point["interval"] or (point["value"], point["value"])
        line = whisker(low, point["value"], high, min(ends), max(ends), columns)
        text.append(line, style="cyan not bold")
        shown = tables.number(name, point["value"])
        around = f"[{tables.number(name, low)}, {tables.number(name, high)}]"
        text.append(f" {shown:>6} ", style="bold" if one["best"] else "not bold")
        text.append(f"{around:16}", style="dim not bold")
        if point["p_value"] is not None:
            text.append(f" p {tables.p_value(point['p_value'])}", style="dim not bold")
        text.append("\n")
    text.rstrip()
    return text


def whisker(low: float, value: float, high: float, first: float, last: float, columns: int) -> str:
    """`├──●──┤` where it belongs between `first` and `last`, in so many columns.

    >>> whisker(2, 3, 4, 0, 5, 11)
    '    ├─●─┤  '
    """
    scale = (columns - 1) / (last - first) if last > first else 0.0
    a, at, b = (round((one - first) * scale) for one in (low, value, high))
    line = [" "] * columns
    for place in range(a, b + 1):
        line[place] = "─"
    line[a], line[b] = "├", "┤"
    line[at] = "●"
    return "".join(line)


def find(checkpoint: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The checkpoint's score of this name."""
    scores: Sequence[Mapping[str, Any]] = checkpoint["scores"]
    return next((one for one in scores if one["name"] == name), None)
