"""What a sandboxed program did that deceives tests, and honest programs have hardly a use for.

Runs inside the sandbox, before and around the program (metrics.sandbox.launcher); the standard
library only. No mark proves deceit, and code that knows of them may avoid them.
"""

import builtins
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

from metrics.sandbox.units import Library, named

KNOWN = {b"frames", b"objects", b"memory", b"equality", b"patches", b"descriptors"}
END = b"."
TESTS = "<tests>"
_EVENTS = {
    "sys._getframe": "frames",
    "sys._current_frames": "frames",
    "sys._current_exceptions": "frames",
    "sys.settrace": "frames",
    "sys.setprofile": "frames",
    "object.__getattr__": "frames",
    "compile": "frames",
    "code.__new__": "frames",
    "gc.get_objects": "objects",
    "gc.get_referrers": "objects",
    "gc.get_referents": "objects",
}
_IMPORTS = {"ctypes": "memory", "_ctypes": "memory", "unittest.mock": "equality"}
_FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame"}
_SHOW_FRAMES = ("/inspect.py", "/traceback.py")  # of the library, what hands frames out


class Marks:
    """Tells the watcher, each once, of what deceives tests and has hardly another use.

    frames    looks at callers' variables and code, as `sys._getframe` and tracing do
    objects   looks through the heap (`gc`)
    memory    reads or writes memory (`ctypes`)
    equality  has a class that equals everything
    patches   put functions of its own into modules of the standard library, or changed unittest

    The watcher adds `descriptors`: read or wrote pipes that are none of the program's.
    """

    def __init__(self, descriptor: int, source: bytes) -> None:
        self._write, self._descriptor = os.write, descriptor
        self._said: set[str] = set()
        self._begun, self._before_tests = False, True
        self._library = (os.path.dirname(os.__file__) + "/", "<frozen ")
        self._builtins = dict(vars(builtins))
        self._getframe, self._asking = sys._getframe, True
        self._runner = sys._getframe(1).f_code
        self._loaded, self._unittest = set(sys.modules), Library()
        for word, mark in (("ctypes", "memory"), ("mock", "equality")):
            if word.encode() in source and word in named(source):
                self._say(mark)
        sys.addaudithook(self._heard)

    def look(self) -> None:
        """What can be seen once the program has ended; then `END`, without which none passes."""
        self._asking = True
        try:
            if any(vars(builtins).get(name) is not was for name, was in self._builtins.items()):
                self._say("patches")
            own = sys.modules.get("__main__")  # by other names, too
            for module in [each for each in sys.modules.values() if each is not own]:
                if any(map(self._is_foreign, _functions(module))):
                    self._say("patches")
            if any(map(self._equals_everything, _classes(object, set()))):
                self._say("equality")
        except BaseException:  # noqa: BLE001 - nothing that was left whole raises
            self._say("patches")
        self._write(self._descriptor, END + b"\n")

    def _say(self, mark: str) -> None:
        if mark not in self._said:
            self._said.add(mark)
            self._write(self._descriptor, mark.encode() + b"\n")

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "exec" and not self._begun:  # all is compiled
            self._begun, self._asking = True, False
        if event == "exec" and self._before_tests:
            self._look_before_tests(arguments[0])
        mark = _IMPORTS.get(arguments[0]) if event == "import" else _EVENTS.get(event)
        if mark is None or self._asking or mark in self._said:
            return
        if event == "object.__getattr__" and arguments[1] not in _FRAMES:
            return
        if event == "compile" and not self._lies(arguments[1]):
            return
        self._asking = True  # `_getframe` is an event itself
        frame: types.FrameType | None = self._getframe(1)
        self._asking = False
        while (
            frame and event == "sys._getframe" and frame.f_code.co_filename.endswith(_SHOW_FRAMES)
        ):
            frame = frame.f_back  # who asked them
        if frame and not frame.f_code.co_filename.startswith((*self._library, TESTS)):
            self._say(mark)

    def _look_before_tests(self, code: types.CodeType) -> None:
        """What only the program can have done, where this is the first code of the tests."""
        was, self._asking = self._asking, True
        if self._getframe(2).f_code is self._runner and code.co_filename == TESTS:
            self._before_tests = False
            if self._unittest.changed():
                self._say("patches")
            for name, mark in _IMPORTS.items():
                if name in sys.modules and name not in self._loaded:
                    self._say(mark)
        self._asking = was

    def _lies(self, name: object) -> bool:
        """Whether code takes a name by which it would not be told from tests or library."""
        return isinstance(name, str) and name.startswith((*self._library, TESTS))

    def _is_foreign(self, function: types.FunctionType) -> bool:
        """Whether it stands in the library and is not of it. What the library itself makes of
        strings (named tuples, data classes) has names with underscores."""
        file = function.__code__.co_filename
        made = file == "<string>" and function.__name__.startswith(("__", "<lambda>"))
        return not made and not file.startswith((*self._library, TESTS))

    def _equals_everything(self, kind: type) -> bool:
        method = vars(kind).get("__eq__")
        if not isinstance(method, types.FunctionType):
            return False
        if method.__code__.co_filename.startswith((*self._library, TESTS)):
            return False
        try:
            anything: Any = kind
            own = (
                type.__new__(anything, "", (), {})
                if issubclass(kind, type)
                else anything.__new__(kind)
            )
            answer = method(own, object())
            return answer is not NotImplemented and bool(answer)
        except BaseException:  # noqa: BLE001 - the program's code
            return False


def _functions(module: types.ModuleType) -> Iterator[types.FunctionType]:
    """Those of a module, and of its classes."""
    for value in list(vars(module).values()):
        inside = list(vars(value).values()) if isinstance(value, type) else []
        yield from (one for one in [value, *inside] if isinstance(one, types.FunctionType))


def _classes(kind: type, seen: set[type]) -> Iterator[type]:
    """All that derive from one, each once."""
    each: type
    for each in type.__subclasses__(kind):
        if each not in seen:
            seen.add(each)
            yield each
            yield from _classes(each, seen)
