"""Tables for people: GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from service.figures.table import LEFT, Table
from service.figures.words import marked, plain

# what Markdown reads as something else than text, addresses and @names of people among it
MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&#{}^!@]|:(?=//)|(?<=www)\.)")


def as_markdown(table: Table) -> bytes:
    """A table of GitHub's Markdown, with its heading, legend and notes."""
    shown = table.shown()
    lines = [f"### {in_markdown(table.title)}", ""]
    if not table.rows:
        lines += ["No rows.", ""]
    else:
        lines.append(_line(in_markdown(title) for _, _, title in shown))
        lines.append(_line("---" if one.kind in LEFT else "---:" for _, one, _ in shown))
        lines += [_line(row) for row in marked(table, in_markdown, "**{}**", "{}")]
        lines.append("")
    if table.legend:
        said = "; ".join(f"{in_markdown(mark)}: {in_markdown(text)}" for mark, text in table.legend)
        lines += [f"{said}.", ""]
    lines += [f"- {in_markdown(note)}" for note in table.notes]
    return ("\n".join(lines).rstrip("\n") + "\n").encode()


def in_markdown(text: str) -> str:
    """The text as Markdown that shows it."""
    return MARKDOWN.sub(r"\\\1", plain(text))


def _line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(texts) + " |"
