"""Tables for people: Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from service.figures.table import LEFT, Table
from service.figures.words import cells, plain

# what Markdown reads as something else than text, addresses and @names of people among it
MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&#{}^!@]|:(?=//)|(?<=www)\.)")

LATEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # behind `\\` it would be a length
    "]": "{]}",
    "*": "{*}",  # and this a kind of break
    "–": r"\textendash{}",
    "…": r"\dots{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
MINUS = r"(?P<minus>(?<![\w.-])-(?=\d))"
SPECIAL = re.compile("|".join([MINUS, *map(re.escape, LATEX), "-(?=-)", ",(?=,)", "'(?=')"]))

LATEX_HEAD = """\
% needs \\usepackage{booktabs}; for Cyrillic, pdfLaTeX needs \\usepackage[T1,T2A]{fontenc} as well,
% XeLaTeX and LuaLaTeX a font that has the letters
\\begin{table}
\\centering
"""


def as_markdown(table: Table) -> bytes:
    """A table of GitHub's Markdown, with its heading, legend and notes."""
    shown = table.shown()
    lines = [f"### {in_markdown(table.title)}", ""]
    if not table.rows:
        lines += ["No rows.", ""]
    else:
        lines.append(_line(in_markdown(title) for _, _, title in shown))
        lines.append(_line("---" if one.kind in LEFT else "---:" for _, one, _ in shown))
        lines += [_line(row) for row in _marked(table, in_markdown, "**{}**", "{}")]
        lines.append("")
    if table.legend:
        said = "; ".join(f"{in_markdown(mark)}: {in_markdown(text)}" for mark, text in table.legend)
        lines += [f"{said}.", ""]
    lines += [f"- {in_markdown(note)}" for note in table.notes]
    return ("\n".join(lines).rstrip("\n") + "\n").encode()


def as_latex(table: Table) -> bytes:
    """A `table` for booktabs, the best in bold, with its legend and notes below."""
    shown = table.shown()
    kinds = "".join("l" if one.kind in LEFT else "r" for _, one, _ in shown)
    lines = [f"\\caption{{{in_latex(table.title)}}}", f"\\begin{{tabular}}{{{kinds}}}", "\\toprule"]
    lines += [" & ".join(in_latex(title) for _, _, title in shown) + r" \\", r"\midrule"]
    rows = _marked(table, in_latex, r"\textbf{{{}}}", r"\textsuperscript{{{}}}")
    lines += [" & ".join(row) + r" \\" for row in rows]
    if not table.rows:
        lines.append(f"\\multicolumn{{{max(len(shown), 1)}}}{{l}}{{No rows.}} \\\\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    legend = "; ".join(f"{in_latex(mark)}: {in_latex(text)}" for mark, text in table.legend)
    below = [f"{legend}."] if legend else []
    below += [in_latex(note) for note in table.notes]
    lines += [f"\\par\\smallskip{{\\footnotesize {text}\\par}}" for text in below]
    return (LATEX_HEAD + "\n".join([*lines, r"\end{table}"]) + "\n").encode()


def in_markdown(text: str) -> str:
    """The text as Markdown that shows it."""
    return MARKDOWN.sub(r"\\\1", plain(text))


def in_latex(text: str) -> str:
    """The text as LaTeX that shows it; dashes and marks that LaTeX would join are kept apart."""

    def written(at: re.Match[str]) -> str:
        return "$-$" if at["minus"] else LATEX.get(at[0], f"{at[0]}{{}}")

    return SPECIAL.sub(written, plain(text))


def _marked(table: Table, escape: Callable[[str], str], bold: str, mark: str) -> list[list[str]]:
    """The cells' texts, the best and the significant marked."""
    names = [column.name for _, column, _ in table.shown()]
    found = []
    for at, row in enumerate(cells(table)):
        line = []
        for name, text in zip(names, row, strict=True):
            cell = escape(text)
            if (at, name) in table.best and cell:
                cell = bold.format(cell)
            said = table.marks.get((at, name), "")
            line.append(cell + (mark.format(escape(said)) if said else ""))
        found.append(line)
    return found


def _line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(texts) + " |"
