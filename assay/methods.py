"""How a function of `assay.endpoints` is presented as a method of a client."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TypeVar

M = TypeVar("M", bound=Callable[..., object])


def presented(method: M, like: Callable[..., object]) -> M:
    """`method` with the name, docstring and parameters of `like`, so that `help` shows them."""
    functools.update_wrapper(method, like)
    signature = inspect.signature(like)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [own, *signature.parameters.values()]
    empty = inspect.Signature.empty  # `like` returns what is sent, the method what is answered
    shown = signature.replace(parameters=parameters, return_annotation=empty)
    vars(method)["__signature__"] = shown
    return method
