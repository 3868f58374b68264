"""LaTeX shows what was meant, whatever systems are called, and compiles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.evaluations.tables import evaluation_table
from service.figures.latex import as_latex, in_latex
from service.leaderboards.tables import board_table, comparison_table
from tests.service.figures.boards import HOSTILE, board, comparison, evaluation, result, score
from tests.service.figures.compiled import ENGINES, compiled

NAMES = [
    *HOSTILE,
    r"a_b & 50% #1 $x$ \input{/etc/passwd} {~^}",
    "^^41^^M \\end{tabular} %",
    "a--b---c ,,''``''?`!`<<>>",
    "éßøñ ≤ ≥ ± → € ™ ½ “quoted” — № Қазақ ę ł ř ğ Ð þ",
    "long " * 50,
    "meta/Llama-3.1-8B-Instruct_" * 12,
    "и\u0306 e\u0301 \u0301",
    "👨‍👩‍👧 العربية Ω",
    "",
]


def balanced(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def test_latex_is_a_booktabs_table() -> None:
    text = as_latex(board_table(board(HOSTILE))).decode()
    assert balanced(text)
    assert [text.count(rule) for rule in ("\\toprule", "\\midrule", "\\bottomrule")] == [1, 1, 1]
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)
    assert columns is not None
    assert columns[1] == "rrlrrrr"
    body = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
    assert len(body) == len(HOSTILE)
    for line, name in zip(body, HOSTILE, strict=True):
        assert line.endswith(" \\\\")
        cells = re.split(r"(?<!\\)&", line)
        assert len(cells) == 7, line
        shown = re.sub(
            r"\\allowbreak\{\}|\\parbox\[t\]\{.*?\}\{.*\\strut (?=.)|\\strut\}", "", cells[2]
        )
        assert shown.strip() == in_latex(name)
    assert "\\textbf{60.0}\\textsuperscript{{*}{*}{*}}" in body[0]
    assert "\\textbf" not in "".join(body[1:])
    assert "{*} / {*}{*}{*}: p \\textless{} 0.05 / 0.001" in text


def test_latex_escapes_each_sign() -> None:
    assert in_latex("&_%$#{}") == r"\&\_\%\$\#\{\}"
    assert in_latex("~^\\") == r"\textasciitilde{}\textasciicircum{}\textbackslash{}"
    assert in_latex("a--b ''c") == "a-{}-b '{}'c"
    assert in_latex("[1] *") == "{[}1{]} {*}"
    assert in_latex("-1.5 to -2, llama-2") == "$-$1.5 to $-$2, llama-2"
    assert in_latex("модель ↑ ≥") == r"модель $\uparrow$ $\geq$"
    assert in_latex("a\nb") == "a b"
    assert in_latex("и\u0306") == "й"


def test_what_pdflatex_has_no_letter_for_is_shown_by_its_number_there() -> None:
    assert in_latex("a日本b🙂") == (
        r"a\ifdefined\Umathchar 日本\else U+65E5 U+672C\fi{}b"
        r"\ifdefined\Umathchar 🙂\else U+1F642\fi{}"
    )
    assert in_latex("Жёлтый қ é №") == "Жёлтый қ é №"


def test_long_names_go_on_in_the_next_line() -> None:
    text = as_latex(board_table(board(["meta-llama/Llama-3.1-8B-Instruct", "short"]))).decode()
    assert r"\strut meta-llama/\allowbreak{}Llama-3.1-8B-\allowbreak{}Instruct\strut}" in text
    assert text.count("\\parbox") == 1


def test_what_no_page_holds_is_broken_into_pages() -> None:
    systems = [f"system {at}" for at in range(100)]
    text = as_latex(board_table(board(systems))).decode()
    assert "\\begin{longtable}{rrlrrrr}" in text
    assert "\\begin{table}" not in text
    assert text.index("\\endfoot") < text.index("system 0") < text.index("system 99 &")
    few = board(["a", "b"], warnings=["as is said at length " * 8] * 20)
    assert "\\begin{longtable}" in as_latex(board_table(few)).decode()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_letter_that_stands_for_itself_is_known(engine: str, tmp_path: Path) -> None:
    letters = [one for one in map(chr, range(0xA1, 0x2500)) if in_latex(one) == one]
    assert len(letters) > 350
    names = ["".join(letters[at : at + 25]) for at in range(0, len(letters), 25)]
    compiled(engine, tmp_path, as_latex(board_table(board(names))))


@pytest.mark.parametrize("engine", ENGINES)
def test_it_compiles(engine: str, tmp_path: Path) -> None:
    results = [result("chrf", 2.0, 0.0002), result("bleu_x", -1.0, 0.2)]
    one = evaluation([score("chrf", 40.0), score("bleu", None)], [score("chrf", 44.0, "lang=ru")])
    tables = [
        *(board_table(board(NAMES[at : at + 6], dataset=NAMES[at])) for at in range(0, 23, 6)),
        board_table(board(NAMES * 3)),
        board_table(board([], left_out=[])),
        comparison_table(comparison(results, NAMES[14], NAMES[20])),
        evaluation_table(one),
    ]
    said = compiled(engine, tmp_path, *map(as_latex, tables))
    assert "Overfull \\hbox" not in said
    assert "Float too large" not in said
    pages = re.search(r"Output written on all.pdf \((\d+) pages", said)
    assert pages is not None
    assert int(pages[1]) >= 4
