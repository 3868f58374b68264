"""Models behind URLs that rewards ask, handed to the training process with their keys.

They lie in memory that is the process's standard input: in no file, argument or environment. The
ranks below torchrun inherit it and read it each for itself; then it is closed, so that nothing they
start has it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import orjson
from pydantic import SecretStr

from inference.remote.registered import Registered

STDIN = 0
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def handed_over(models: Iterable[Registered]) -> int:
    """A descriptor to start the process with as its standard input; the caller closes it."""
    descriptor = os.memfd_create("registrations", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(orjson.dumps([_open(one) for one in models]))
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    return descriptor


def received(names: Iterable[str], processes: int = 1) -> Mapping[str, Registered]:
    """What was handed over, by name, and this process's part of the limits. Raises LookupError
    where one of the `names` is not there."""
    expected = set(names)
    if not expected:
        return {}
    data = os.pread(STDIN, os.fstat(STDIN).st_size, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STDIN)
    os.close(nothing)
    found = [_closed(one) for one in (orjson.loads(data) if data else ())]
    missing = expected - {one.name for one in found}
    if missing:
        raise LookupError(f"nobody handed over {', '.join(sorted(missing))}")
    return {one.name: part(one, processes) for one in found}


def part(model: Registered, processes: int) -> Registered:
    """The model with what each of so many processes may ask of it."""

    def share(limit: int | None) -> int | None:
        return None if limit is None else max(limit // processes, 1)

    return replace(
        model,
        concurrency=max(model.concurrency // processes, 1),
        requests_per_minute=share(model.requests_per_minute),
        tokens_per_minute=share(model.tokens_per_minute),
    )


def _open(model: Registered) -> dict[str, Any]:
    values = {field.name: getattr(model, field.name) for field in fields(model)}
    key = model.key.get_secret_value() if model.key is not None else None
    return values | {"key": key, "extra_body": dict(model.extra_body)}


def _closed(values: dict[str, Any]) -> Registered:
    key = values["key"]
    return Registered(**values | {"key": SecretStr(key) if key is not None else None})
