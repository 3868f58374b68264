"""pass@k of programs in other languages than Python."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from inference.errors import Unavailable
from metrics.core.evidence import FLAG
from metrics.sandbox import languages
from tests.metrics.test_pass_at_k_layouts import found

PROGRAMS = {
    "bash": [
        'read -r n; for i in $(seq "$n"); do echo "$i"; done | sort -rn',
        "echo 3; exit 1",
        "if then",
        "echo $(( 1 / 0 ))",
    ],
    "perl": [
        'my $n = <STDIN>; print map { "$_\\n" } reverse 1 .. $n',
        "die 'x'",
        "my $x = ;",
        "1",
    ],
    "javascript": [
        'const n = +require("fs").readFileSync(0); for (let i = n; i > 0; i--) console.log(i)',
        "throw new Error('нет')",
        "const = 1",
        "console.log(1)",
    ],
}


@pytest.mark.parametrize("language", PROGRAMS)
def test_other_languages(language: str) -> None:
    try:
        languages.interpreter(language)
    except Unavailable:
        pytest.skip(f"needs an interpreter of {language}")
    evidence, verdicts = found(
        PROGRAMS[language], [{"input": "3\n", "output": "3\n2\n1"}], language=language
    )
    assert evidence["passed"].tolist() == [1, 0, 0, 0]
    told = [one[0].verdict for one in verdicts]
    assert told[1] == "exception"
    assert told[2] == "syntax_error"
    assert not evidence[FLAG].any()


def test_modules_of_javascript_run_under_the_usual_limits() -> None:
    try:
        languages.interpreter("javascript")
    except Unavailable:
        pytest.skip("needs an interpreter of javascript")
    outputs = [
        "import fs from 'fs';console.log(fs.readFileSync('/dev/stdin', 'utf8'))",
        "export const a = 1;console.log(await Promise.resolve(3))",
        "require('child_process').execSync('ls')",
    ]
    evidence, verdicts = found(
        outputs, [{"input": "3\n", "output": "3"}], language="javascript", timeout_s=20
    )
    assert evidence["passed"].tolist() == [1, 1, 0]
    assert verdicts[2][0].source == "Error: spawnSync /bin/sh ENOENT"


def test_a_language_that_is_not_there_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bubblewrap = Path("/usr/bin/bwrap")
        (Path(folder) / "bwrap").symlink_to(bubblewrap)
        monkeypatch.setenv("PATH", folder)
        with pytest.raises(Unavailable, match="apt-get install ruby"):
            found(["puts 1"], [{"input": "", "output": "1"}], language="ruby")
