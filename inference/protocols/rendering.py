"""Renders a template in a process of its own: run as a file, it imports nothing of this package.

Standard input has {"template", "rows", "seconds", "longest"} as JSON; standard output gets
{"texts"}, or {"error", "row"} for the first row that cannot be rendered (-1: none can).
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from typing import Any

MEMORY = 1 << 30  # bytes of address space
CPU_SECONDS = 120


def main() -> None:
    """Answer one request."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    json.dump(rendered(json.load(sys.stdin)), sys.stdout)


def rendered(asked: dict[str, Any]) -> dict[str, Any]:
    """The texts of all rows, or the first error."""
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=False, trim_blocks=True, lstrip_blocks=True
    )
    texts: list[str] = []
    row = -1
    try:
        template = environment.from_string(asked["template"])
        signal.signal(signal.SIGALRM, _late)
        for row, fields in enumerate(asked["rows"]):
            signal.setitimer(signal.ITIMER_REAL, asked["seconds"])
            text = template.render(fields)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if len(text) > asked["longest"]:
                return {"error": f"makes more than {asked['longest']} characters", "row": row}
            texts.append(text)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else ""
        return {"error": f"{error.message or type(error).__name__}{where}", "row": row}
    except MemoryError:
        return {"error": "takes too much memory", "row": row}
    except Exception as error:  # noqa: BLE001 - whatever the template's own expressions raise
        return {"error": f"{type(error).__name__}: {error}", "row": row}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"texts": texts}


def _late(*_: object) -> None:
    raise TimeoutError("takes too long")


if __name__ == "__main__":
    main()
