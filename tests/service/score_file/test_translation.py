"""Russian reports: every warning, flag and reason of the code has its Russian."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Formatter

import pytest
from typer.testing import CliRunner

import inference
import metrics
from inference.kinds import CALLED
from inference.sentences import Sentence
from metrics.core.clustered import CLUSTERS
from metrics.core.errors import LACKS, NEEDS
from metrics.core.metric import BoundMetric
from metrics.core.settling import FAILED
from metrics.statistics import diagnostics
from service.cli import app
from service.score_file.translation import forms, told

# what these say is of what was named, and not of what a file or the machine lacks
ELSEWHERE = {"vllm_engine.py", "remote", "community"}
SAID = ("Sentence", "Remark")
REASONS = {"TooFewSamples", "TooManySamples", "Unavailable", "UnknownModel", "NothingRuns"}
FOREIGN = {"{place} (id {id!r:.100}): {why}", "{names}"}  # no words
Forms = dict[str, set[str]]  # of a form, the names of its figures


def trees(*words: str) -> Iterator[tuple[Path, ast.Module]]:
    """Files of the code that have one of the words."""
    for package in (inference, metrics):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            text = path.read_text("utf-8")
            if any(word in text for word in words):
                yield path, ast.parse(text)


def named(tree: ast.Module) -> dict[str, list[str]]:
    """The texts that a file gives a name."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign([ast.Name(name)], ast.Constant(str(text))):
                found.setdefault(name, []).append(text)
    return found


def made(path: Path, tree: ast.Module) -> Forms:
    """Of which forms a file makes sentences."""
    names, found = named(tree), Forms()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in SAID:
            continue
        form, figures = node.args[0], {one.arg or "" for one in node.keywords}
        if "" in figures:  # another's form and figures
            continue
        if isinstance(form, ast.Constant):
            given = [str(form.value)]
        elif isinstance(form, ast.Attribute):
            given = [str(getattr(diagnostics, form.attr))]
        else:
            given = [one for one in names.get(ast.unparse(form), ()) if fields(one) <= figures]
        assert given or path.name == "errors.py", (path, node.lineno)  # `LACKS`, below
        found |= dict.fromkeys(given, figures)
    return found


def fields(form: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(form) if name}


def written() -> Forms:
    """All that can be said: of sentences, flags and kinds of models, and of clusters."""
    found: Forms = {}
    for path, tree in trees(*(f"{one}(" for one in SAID)):
        found |= made(path, tree)
    of_units = [form for form in found if re.search(r"(?<!this )\bsamples?\b", form)]
    statistics = Path(diagnostics.__file__).read_text("utf-8")
    ours = {*made(Path(), ast.parse(statistics)), diagnostics.NOTHING_VARIES}
    ours |= {diagnostics.ONE_DECIDES, diagnostics.FEW_DIFFER}
    found |= {CLUSTERS(form): found[form] for form in of_units if form in ours}
    found |= {form: {"metric", "need", "place", "id"} for form in (NEEDS, *LACKS.values())}
    flags = [*FAILED.values()]
    for metric in metrics.catalogue().values():
        flags += metric.flags.values()
        scores = BoundMetric(metric, metric.params.model_construct()).scores
        found |= {one.no_interval: set() for one in scores if one.no_interval}
    return found | {one: set() for one in (*(flag.message for flag in flags), *CALLED.values())}


def test_every_form_has_its_russian() -> None:
    found = written()
    assert sum("cluster" in form for form in found) > 8
    assert [form for form in found if form not in forms()] == []
    assert [form for form in forms() if form not in found] == []
    for form, russian in forms().items():
        assert fields(russian) <= found[form], form
        words = re.sub(r"\{.*?\}", "", russian)
        assert re.search("[а-яё]", words) or russian in FOREIGN, form


def test_reasons_have_forms() -> None:
    """What samples or the machine lack is no bare text."""
    bare = []
    for path, tree in trees("raise "):
        if ELSEWHERE & {*path.parts}:
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Raise(ast.Call(ast.Name(name), [ast.JoinedStr() | ast.Constant(), *_])):
                    bare += [f"{path}:{node.lineno}"] if name in REASONS else []
    assert bare == []


def test_sentences_are_texts_that_keep_their_form() -> None:
    inner = Sentence.plain("the text is empty")
    said = Sentence("{count} of {outputs}: {flag}", count=2, outputs="3 outputs", total=3,
                    flag=inner)  # fmt: skip
    outer = Sentence("no value: {why}", why=Sentence.joined([said, inner]))
    assert outer == "no value: 2 of 3 outputs: the text is empty; the text is empty"
    expected = "значения нет: текст пуст (ответов: 2 из 3); текст пуст"
    for one in (outer, copy.deepcopy(outer)):
        assert told(one, "ru") == expected
        assert told(one, "en") == outer
    assert json.loads(json.dumps([outer])) == [outer]
    assert told("another's {text}", "ru") == "another's {text}"
    assert Sentence.plain("{x}") == "{x}"


@pytest.mark.parametrize(
    ("suite", "given"),
    [
        ("summarization", ()),
        ("qa", ("--cluster", "document")),
        ("code", ()),
        ("open_ended", ()),
        ("instruction_following", ()),
    ],
)
def test_a_russian_report_has_no_english_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suite: str, given: Sequence[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = [
        {
            **{"id": str(at), "prompt": f"Где кошка {at}?", "output": "дома" if at else ""},
            **{"references": [f"кошка {at} дома"], "tests": "def f(): pass"},
            "metadata": {"document": at // 3, "instruction_id_list": ["no:such"], "kwargs": [{}]},
        }
        for at in range(6)
    ]
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = ["score", "new.jsonl", "-s", suite, "-m", "ter", "--lang", "ru", "-f", "json"]
    done = CliRunner().invoke(app, [*asked, *given], catch_exceptions=False)
    found = json.loads(done.stdout)
    said = [one["reason"] for one in found["left_out"]]
    for one in found["scores"]:
        said += [*one["warnings"], *([one["error"]] if one["error"] else [])]
    assert len(said) > 3
    for sentence in said:
        assert re.search("[а-яё]", sentence), sentence
        # four English words in a row; names of models, options and fields are shorter
        assert not re.search(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,} [a-z]{2,}", sentence), sentence
