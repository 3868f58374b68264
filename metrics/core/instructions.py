"""Instructions that a program can check: IFEval's, in a sample's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

Instruction = tuple[str, str]  # its id, and its arguments as JSON with sorted keys


def instructions_of(metadata: Mapping[str, Any]) -> tuple[Instruction, ...]:
    """Of `instruction_id_list` and `kwargs`, lists of the same length, as the published data set
    has them; none where there are none or other things.

    Arguments that are null, with which a table of them is filled up, are left out.
    """
    ids, given = metadata.get("instruction_id_list"), metadata.get("kwargs")
    if not isinstance(ids, list | tuple) or not isinstance(given, list | tuple):
        return ()
    if len(ids) != len(given) or not all(isinstance(one, str) for one in ids):
        return ()
    if not all(one is None or isinstance(one, Mapping) for one in given):
        return ()
    try:
        return tuple((one, _plain(own or {})) for one, own in zip(ids, given, strict=True))
    except TypeError:
        return ()


def _plain(arguments: Mapping[str, Any]) -> str:
    known = {str(name): value for name, value in arguments.items() if value is not None}
    return orjson.dumps(known, option=orjson.OPT_SORT_KEYS).decode()
