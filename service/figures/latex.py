"""Tables for papers: LaTeX that every engine compiles, whatever systems are called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from service.figures.table import LEFT, Table
from service.figures.words import cells, marked, plain

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
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "−": "$-$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
MINUS = r"(?P<minus>(?<![\w.-])-(?=\d))"
# what pdfLaTeX has no letter for with the encodings T1 and T2A: it would stop there
UNKNOWN = (
    r"(?P<unknown>[^ -~\xa0-\xcf\xd1-\xdd\xdf-\xef\xf1-\xfd\xff-\u010f\u0112-\u0125\u0128-\u0137"
    r"\u0139-\u013e\u0141-\u0148\u014c-\u0165\u0168-\u017e\u0400-\u045f\u0490-\u0493\u0496-\u049d"
    r"\u04a0-\u04a5\u04aa\u04ab\u04ae-\u04b3\u04b6-\u04bb\u04c0-\u04c2\u04d0-\u04df\u04e2-\u04e9"
    r"\u04ec-\u04f5\u2010-\u2016\u2018\u2019\u201c-\u201e\u2020-\u2022\u2030\u20ac\u2116\u2122"
    r"\u2190-\u2193]+)"
)
SPECIAL = re.compile(
    "|".join([MINUS, *map(re.escape, LATEX), "-(?=-)", ",(?=,)", "'(?=')", UNKNOWN])
)

WIDE = 30  # letters of a cell; longer ones are broken into lines, of about LINE letters
LINE = 20
LONG = 15  # letters of a word; longer ones are broken, behind what joins their parts if they can be
PIECE = re.compile(rf"\S{{1,{LONG - 1}}}[/_.:@,;=-]+|\S{{1,{LONG}}}[/_.:@,;=-]*")
TALL = 40  # lines that a page holds; a table with more is broken into pages

HEAD = """\
% In the preamble:
%   \\usepackage{booktabs,graphicx,longtable}
%   \\usepackage[T1,T2A]{fontenc}  % pdfLaTeX; XeLaTeX and LuaLaTeX: a font that has the letters
% pdfLaTeX shows characters that those encodings lack, as emoji, by their numbers.
"""


def as_latex(table: Table) -> bytes:
    """A `table` for booktabs, the best in bold, with its legend and notes below, no wider than the
    text; a `longtable` where a page would not hold it."""
    shown = table.shown()
    kinds = "".join("l" if one.kind in LEFT else "r" for _, one, _ in shown)
    titles = _row(_cell(title) for _, _, title in shown)
    rows = [_row(row) for row in marked(table, _cell, r"\textbf{{{}}}", r"\textsuperscript{{{}}}")]
    if not rows:
        rows = [f"\\multicolumn{{{max(len(shown), 1)}}}{{l}}{{No rows.}} \\\\"]
    said = "; ".join(f"{in_latex(mark)}: {in_latex(text)}" for mark, text in table.legend)
    below = [f"{said}."] if said else []
    below += [_broken(note) for note in table.notes]
    notes = [f"\\par\\smallskip{{\\footnotesize\\noindent {text}\\par}}" for text in below]
    caption = f"\\caption{{{_broken(table.title)}}}"
    written = (_pages if _height(table) > TALL else _page)(caption, kinds, titles, rows, notes)
    return (HEAD + "\n".join(written) + "\n").encode()


def in_latex(text: str) -> str:
    """The text as LaTeX that shows it; dashes and marks that LaTeX would join are kept apart."""
    return SPECIAL.sub(_written, unicodedata.normalize("NFC", plain(text)))


def _written(at: re.Match[str]) -> str:
    if at["minus"]:
        return "$-$"
    if at["unknown"]:
        numbers = " ".join(f"U+{ord(sign):04X}" for sign in at[0])
        return f"\\ifdefined\\Umathchar {at[0]}\\else {numbers}\\fi{{}}"  # pdfTeX has none
    return LATEX.get(at[0], f"{at[0]}{{}}")


def _cell(text: str) -> str:
    """In one line, or in several where it is long."""
    if _letters(text) <= WIDE:
        return in_latex(text)
    return f"\\parbox[t]{{0.3\\linewidth}}{{\\raggedright\\strut {_broken(text)}\\strut}}"


def _broken(text: str) -> str:
    """As `in_latex`, with places at which long words may go on in the next line."""
    words = [PIECE.findall(one) if len(one) > LONG else [one] for one in plain(text).split()]
    return " ".join(r"\allowbreak{}".join(map(in_latex, pieces)) for pieces in words)


def _row(texts: Iterable[str]) -> str:
    return " & ".join(texts) + r" \\"


def _letters(text: str) -> int:
    """How long it may become, by numbers of characters."""
    return len(text) + sum(len(" U+1F642") * len(run) for run in re.findall(UNKNOWN, text))


def _height(table: Table) -> int:
    """Lines of the table, roughly."""
    rows = sum(1 + max(map(_letters, row), default=0) // LINE for row in cells(table))
    return rows + sum(1 + _letters(note) // (4 * LINE) for note in table.notes)


def _page(
    caption: str, kinds: str, titles: str, rows: Sequence[str], notes: Sequence[str]
) -> list[str]:
    return [
        r"\begin{table}",
        r"\centering",
        caption + r"\smallskip",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        f"\\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        titles,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        *notes,
        r"\end{table}",
    ]


def _pages(
    caption: str, kinds: str, titles: str, rows: Sequence[str], notes: Sequence[str]
) -> list[str]:
    return [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}",
        f"\\begin{{longtable}}{{{kinds}}}",
        caption + r" \\",
        r"\toprule",
        titles,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *rows,
        r"\end{longtable}",
        *notes,
        r"\endgroup",
    ]
