"""A sample's tests, taken apart: source, asserts, unit tests, pairs of input and output.

What `tests` may be, told by the text itself:

source        Python that fails by raising, run as one after the program (HumanEval)
asserts       source of definitions and, after them, `assert` statements: each is a test; or a JSON
              list of such statements, or {"test_list": …, "test_setup_code": …} (MBPP)
unit tests    a file of `unittest.TestCase` classes or functions `test…()`, whether or not it ends
              in `unittest.main()`: each method or function is a test (BigCodeBench)
pairs         JSON {"inputs": [], "outputs": []} (APPS, LiveCodeBench's `input_output`),
              {"input": [], "output": []} (CodeContests), or a list of {"input": "", "output": ""}:
              the program reads one and prints the other
calls         pairs with "fn_name": the function (or the method of a class `Solution`) is called;
              an input is a list of arguments (APPS), or one in JSON on each line (LiveCodeBench)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inference.errors import InputError
from inference.sentences import Sentence
from metrics.programs.sources import split

MOST = 1000  # tests of a sample
_KNOWN = Sentence(
    'give a list of {{"input", "output"}}, an object of "inputs" and "outputs" (with "fn_name" '
    "where a function is called), a list of assert statements, or Python source"
)
_UNKNOWN = "tests are JSON of no known layout: {known}"


@dataclass(frozen=True, slots=True)
class SampleTests:
    """A sample's tests, one by one; the fields are those of metrics.sandbox.Program.

    names  what people are shown of each test
    whole  all source, where there is some: tracebacks name its lines
    """

    kind: Literal["source", "stdin", "call"]
    tests: tuple[str, ...]
    names: tuple[str, ...]
    shared: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    whole: str = ""


def parsed(text: str, apart: bool = True) -> SampleTests:
    """What a sample's `tests` hold; `apart=False`: source is run as one.

    Raises InputError for JSON of no known layout, and for too many tests.
    """
    text = text.removeprefix("\ufeff")  # a byte order mark
    found = _of_json(text) if text.lstrip()[:1] in {"[", "{"} else None
    if found is None:
        found = _of_source(text, apart)
    if not found.tests:
        raise InputError(Sentence("the list of tests is empty: {known}", known=_KNOWN), "tests")
    if len(found.tests) > MOST:
        many = Sentence("{count} tests, and {most} is the most", count=len(found.tests), most=MOST)
        raise InputError(many, "tests")
    return found


def as_text(tests: Any) -> Any:
    """Tests that came as JSON rather than as the text of it, as that text; anything else as it is.

    Raises ValueError for what nests too deep.
    """
    if not isinstance(tests, list | dict):
        return tests
    try:
        return json.dumps(tests, ensure_ascii=False)
    except (RecursionError, TypeError):
        raise ValueError("tests are nested too deep, or hold what is no JSON") from None


def _of_source(text: str, apart: bool) -> SampleTests:
    parts = split(text) if apart else None
    if parts is None or len(parts.tests) > MOST:
        return SampleTests("source", (f"{text}\n",), ("tests",), whole=text)
    return SampleTests("source", parts.tests, parts.names, (parts.shared,), whole=text)


def _of_json(text: str) -> SampleTests | None:
    """None where it is no JSON: Python may begin so, too."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and "test_list" in value:
        before = _texts([value.get("test_setup_code") or ""])
        before += _texts(value.get("test_imports") or [])
        return _asserts(_texts(value["test_list"]), "\n".join(before))
    if isinstance(value, dict):
        names = (("inputs", "outputs"), ("input", "output"))
        own = next((one for one in names if value.keys() >= {*one}), None)
        if own is None:
            raise InputError(Sentence(_UNKNOWN, known=_KNOWN), "tests")
        return _answers(value[own[0]], value[own[1]], value.get("fn_name"))
    if all(isinstance(one, str) for one in value):
        return _asserts(value, "")
    if not all(isinstance(one, dict) and one.keys() >= {"input", "output"} for one in value):
        raise InputError(Sentence(_UNKNOWN, known=_KNOWN), "tests")
    functions = {_function(one.get("fn_name")) for one in value}
    if len(functions) > 1 or any(one.get("testtype") == "functional" for one in value) > (
        functions != {None}
    ):
        unnamed = Sentence("tests call a function: each has to name it as `fn_name`")
        raise InputError(unnamed, "tests")
    return _answers(*([one[name] for one in value] for name in ("input", "output")), *functions)


def _asserts(statements: Sequence[str], before: str) -> SampleTests:
    plain = [one.removeprefix("\ufeff") for one in statements]
    tests = tuple(f"{one}\n" for one in plain)
    return SampleTests("source", tests, tuple(plain), (f"{before}\n",) if before else ())


def _answers(inputs: Any, outputs: Any, function: Any) -> SampleTests:
    """Pairs, or calls of a function; raises InputError where they do not match."""
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise InputError(Sentence("inputs and outputs of tests have to be lists"), "tests")
    if len(inputs) != len(outputs):
        uneven = "tests have {inputs} inputs, but {outputs} outputs"
        told = Sentence(uneven, inputs=len(inputs), outputs=len(outputs))
        raise InputError(told, "tests")
    function = _function(function)
    if function is None:
        given, wanted = (tuple(map(_text, ends)) for ends in (inputs, outputs))
        return SampleTests("stdin", given, given, expected=wanted)
    calls = [_arguments(one) for one in inputs]
    given = tuple(json.dumps({"function": function, "arguments": one}) for one in calls)
    names = tuple(
        f"{function}({', '.join(json.dumps(each, ensure_ascii=False) for each in one)})"
        for one in calls
    )
    return SampleTests("call", given, names, expected=tuple(map(_wanted, outputs)))


def _function(name: Any) -> str | None:
    """The name of the function that is called; None where programs read and print."""
    if name is None or (isinstance(name, str) and name.isidentifier()):
        return name
    raise InputError(Sentence("`fn_name` of tests has to be a function's name"), "tests")


def _text(value: Any) -> str:
    """One text, or its lines: APPS has both."""
    if isinstance(value, list):
        return "\n".join(_texts(value))
    return _texts([value])[0]


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        loose = Sentence("inputs, outputs and statements of tests have to be texts")
        raise InputError(loose, "tests")
    return values


def _arguments(value: Any) -> list[Any]:
    """A list, as APPS has them; or in a text, each in JSON on a line, as LiveCodeBench has them."""
    if isinstance(value, list):
        return value
    try:
        return [json.loads(line) for line in _text(value).split("\n")]
    except (ValueError, RecursionError):
        message = Sentence("arguments of a function have to be a list, or JSON on a line each")
        raise InputError(message, "tests") from None


def _wanted(value: Any) -> str:
    """What a call may return, as JSON: {"any": […]}. A text is LiveCodeBench's JSON; APPS wraps
    results in a list, and its own harness takes what stands first in it as well."""
    if isinstance(value, str):
        try:
            json.loads(value, parse_int=len)  # integers of any length
            return f'{{"any": [{value}]}}'
        except (ValueError, RecursionError):
            return json.dumps({"any": [value]})
    return json.dumps({"any": [value, *(value[:1] if isinstance(value, list) else [])]})
