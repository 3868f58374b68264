"""Says whether answers are equal in value, by math-verify: run as a file, in a process of its own.

A line {"reference", "answer", "seconds"} in, a line {"equal"} out: true, false, or null where there
was not the time to decide. Nothing is evaluated but what the parser of LaTeX and numbers makes.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from functools import lru_cache
from itertools import product
from typing import Any

MEMORY = 1 << 30  # bytes of address space


def main() -> None:
    """Answer until there are no more questions."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable()
    import math_verify

    math_verify.parse("$1$", parsing_timeout=0)  # its patterns are made at the first use
    print("{}", flush=True)  # noqa: T201
    for line in sys.stdin:
        asked = json.loads(line)
        found = equal(asked["reference"], asked["answer"], max(1, int(asked["seconds"])))
        print(json.dumps({"equal": found}), flush=True)  # noqa: T201


def equal(reference: str, answer: str, seconds: int) -> bool | None:
    """Whether the two are equal; None where it cannot be decided in time or memory."""
    from math_verify import verify
    from math_verify.errors import TimeoutException

    open_ones = False
    try:
        pairs = list(product(_parsed(reference, seconds), _parsed(answer, seconds)))
    except (TimeoutException, MemoryError, RecursionError):
        return None
    for one, other in pairs:
        try:
            if verify(one, other, timeout_seconds=seconds, raise_on_error=True):
                return True
        except (TimeoutException, MemoryError):
            open_ones = True
        except Exception:  # noqa: BLE001, S110 - what cannot be compared is not equal to it
            pass
    return None if open_ones else False


@lru_cache(maxsize=256)
def _parsed(text: str, seconds: int) -> list[Any]:
    """What the text may mean: an expression, and the text itself."""
    from math_verify import parse

    try:
        found: list[Any] = parse(text, parsing_timeout=seconds, raise_on_error=True)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 - what cannot be parsed is no expression
        return []
    return found


if __name__ == "__main__":
    main()
