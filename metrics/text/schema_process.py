"""Says which texts are JSON, and valid by a schema: run as a file, in a process of its own.

A line {"schema", "texts"} in; a line {"parsed", "valid"} out, a list of booleans each, or {"error"}
where the schema is none. Nothing is fetched: a schema refers to itself alone.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

MEMORY = 1 << 30  # bytes of address space


def main() -> None:
    """Answer until there are no more questions."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import jsonschema_rs

    print("{}", flush=True)  # noqa: T201
    last, validator = "", None
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["schema"] != last or validator is None:
            try:
                validator = jsonschema_rs.validator_for(
                    json.loads(asked["schema"]),
                    offline=True,
                    pattern_options=jsonschema_rs.RegexOptions(),
                )
                last = asked["schema"]
            except Exception as error:  # noqa: BLE001 - of the schema, whatever it is
                validator = None
                print(json.dumps({"error": str(error)[:500]}), flush=True)  # noqa: T201
                continue
        print(json.dumps(found(validator, asked["texts"])), flush=True)  # noqa: T201


def found(validator: Any, texts: list[str]) -> dict[str, list[bool]]:
    """Of each text whether it is JSON, and whether it is valid."""
    parsed, valid = [], []
    for text in texts:
        try:
            value = json.loads(text, parse_constant=_refused)
        except (ValueError, RecursionError):
            parsed.append(False)
            valid.append(False)
            continue
        parsed.append(True)
        valid.append(_is_valid(validator, value))
    return {"parsed": parsed, "valid": valid}


def _is_valid(validator: Any, value: Any) -> bool:
    try:
        return bool(validator.is_valid(value))
    except (ValueError, RecursionError):  # nested deeper than is looked into
        return False


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


if __name__ == "__main__":
    main()
