"""Tables of LaTeX as pages, where there is a LaTeX."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ENGINES = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"no {name} here"))
    for name in ("pdflatex", "xelatex", "lualatex")
]


def preamble(engine: str, table: str) -> str:
    """The lines that the table's head asks for; the encodings are pdfLaTeX's."""
    lines = [line.removeprefix("%").strip() for line in table.splitlines()]
    asked = [line for line in lines if line.startswith("\\usepackage")]
    return "\n".join(line for line in asked if engine == "pdflatex" or "fontenc" not in line)


def compiled(engine: str, folder: Path, *tables: bytes) -> str:
    """What the engine says of a document of these tables. It stops at the first error, and runs
    twice, as it must for tables over several pages."""
    texts = [table.decode() for table in tables]
    for at, text in enumerate(texts):
        (folder / f"table-{at}.tex").write_text(text)
    lines = ["\\documentclass{article}", preamble(engine, texts[0]), "\\begin{document}"]
    lines += [f"\\input{{table-{at}}}" for at in range(len(texts))]
    (folder / "all.tex").write_text("\n".join([*lines, "\\end{document}"]))
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"]
    wide = os.environ | {"max_print_line": "1000"}
    for _ in range(2):
        run = subprocess.run(command, cwd=folder, capture_output=True, check=False, env=wide)
        said = run.stdout.decode(errors="replace")
        assert run.returncode == 0, said[-2000:]
    assert (folder / "all.pdf").exists()
    return said
