"""Rubrics as Jinja templates, in a sandbox: own ones, and those that stand here as files of text.

A rubric reads variables, tests, filters, conditions, and loops over references. It calls nothing,
keeps nothing and lets no text grow by much, so that a few signs cannot keep a process busy or fill
its memory. All this is looked at before Jinja compiles it, which computes what is constant.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from metrics.core.names import hint

if TYPE_CHECKING:
    from jinja2 import Environment, Template

HERE = Path(__file__).parent
VARIABLES = ("prompt", "output", "references", "first", "second", "low", "high", "labels")
ANSWERED = {"output", "first", "second"}  # a rubric that shows these is the whole question
LONGEST_RUBRIC = 20_000  # characters
LONGEST_QUESTION = 400_000
DEEPEST = 2  # loops within each other

Language = Literal["en", "ru"]


class InvalidRubric(ValueError):
    """What is wrong with a rubric, as a sentence."""


@cache
def ready() -> dict[str, dict[str, str]]:
    """The ready rubrics' texts, by language and name."""
    return {
        folder.name: {
            file.stem: file.read_text(encoding="utf-8").strip() for file in folder.glob("*.txt")
        }
        for folder in sorted((HERE / "rubrics").iterdir())
        if folder.is_dir() and folder.name != "__pycache__"
    }


def text_of(rubric: str, language: str) -> str:
    """The text of a ready rubric, or the own text that it is."""
    return ready()[language].get(rubric, rubric)


def check(rubric: str) -> str:
    """The rubric, as it is. Raises InvalidRubric for a name that no ready rubric has, and what
    `check_text` does for an own text."""
    known = ready()["en"]
    if rubric in known:
        return rubric
    if not any(sign.isspace() for sign in rubric) and "{" not in rubric:
        raise InvalidRubric(f"no ready rubric is called {rubric!r:.60}; {hint(rubric, known)}")
    return check_text(rubric)


def check_text(rubric: str) -> str:
    """The own text, as it is. Raises InvalidRubric for one that does not compile, or reads what
    there is not."""
    from jinja2 import TemplateSyntaxError, meta

    if len(rubric) > LONGEST_RUBRIC:
        raise InvalidRubric(f"a rubric has at most {LONGEST_RUBRIC} characters")
    try:
        tree = _environment().parse(rubric)
        _check_kinds(tree)
        _environment().from_string(rubric)  # names of filters and tests are looked up here
    except TemplateSyntaxError as error:
        raise InvalidRubric(f"line {error.lineno}: {error.message}") from None
    except (RecursionError, MemoryError):
        raise InvalidRubric("it is nested too deeply") from None
    for name in sorted(meta.find_undeclared_variables(tree) - set(VARIABLES)):
        raise InvalidRubric(f"there is no variable {name!r:.60}; {hint(name, VARIABLES)}")
    return rubric


def is_whole(text: str) -> bool:
    """Whether a text shows the output itself: then it is the question, and no criterion in one."""
    from jinja2 import meta

    return bool(meta.find_undeclared_variables(_environment().parse(text)) & ANSWERED)


def render(text: str, **values: Any) -> str:
    """The text with its variables filled in. Raises InvalidRubric where that fails or runs wild."""
    return _filled(_compiled(text), values)


def frame(language: str, name: str, **values: Any) -> str:
    """A text of `frames`, filled in."""
    return _filled(_frames(language).get_template(f"{name}.txt"), values)


def _filled(template: Template, values: dict[str, Any]) -> str:
    from jinja2 import TemplateError

    pieces, size = [], 0
    try:
        for piece in template.generate(values):
            size += len(piece)
            if size > LONGEST_QUESTION:
                raise InvalidRubric(f"the question has more than {LONGEST_QUESTION} characters")
            pieces.append(piece)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        if isinstance(error, InvalidRubric):
            raise
        raise InvalidRubric(f"the rubric cannot be filled in: {str(error)[:200]}") from None
    return "".join(pieces).strip()


def _check_kinds(tree: Any) -> None:
    """Raises InvalidRubric for what a rubric must not have."""
    from jinja2 import nodes

    refused = (
        *(nodes.Call, nodes.Mul, nodes.Pow, nodes.Mod, nodes.Macro, nodes.CallBlock),
        *(nodes.FilterBlock, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends),
        *(nodes.Assign, nodes.AssignBlock, nodes.Concat, nodes.Add, nodes.With),
    )
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, refused):
            what = type(node).__name__.lower()
            message = f"line {node.lineno}: a rubric has no {what}, only variables, filters, "
            raise InvalidRubric(message + "conditions and loops")
        if isinstance(node, nodes.Filter):
            _check_growth(node)
        depth += isinstance(node, nodes.For)
        if depth > DEEPEST:
            raise InvalidRubric(f"line {node.lineno}: loops are at most {DEEPEST} deep")
        stack += [(child, depth) for child in node.iter_child_nodes()]


def _check_growth(node: Any) -> None:
    """Raises InvalidRubric where a text could come out many times as long as it goes in."""
    from jinja2 import nodes

    chain = [node, *node.find_all(nodes.Filter)]
    growing = [one.name for one in chain if one.name in GROWING]
    if len(growing) > 1 or len(chain) > MOST_FILTERS:
        message = (
            f"at most {MOST_FILTERS} filters follow each other, one of them {' or '.join(GROWING)}"
        )
        raise InvalidRubric(f"line {node.lineno}: {message}")
    if node.name == "join":
        between = [getattr(one, "value", None) for one in node.args] + list(node.kwargs)
        if not all(isinstance(one, str) and len(one) <= LONGEST_BETWEEN for one in between):
            message = f"join takes one text of at most {LONGEST_BETWEEN} characters"
            raise InvalidRubric(f"line {node.lineno}: {message}")


FILTERS = (
    *("trim", "upper", "lower", "length", "join", "first", "last", "default", "truncate"),
    *("capitalize", "title", "wordcount", "tojson", "int", "round", "sort"),
)
GROWING = ("join", "tojson")
MOST_FILTERS = 4
LONGEST_BETWEEN = 40  # characters that `join` puts between two


@cache
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True)
    made.globals.clear()
    made.filters = {name: made.filters[name] for name in FILTERS}
    return made


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


@cache
def _frames(language: str) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # plain texts are made, not pages
    loader = FileSystemLoader(HERE / "frames" / language)
    return Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True)  # noqa: S701
