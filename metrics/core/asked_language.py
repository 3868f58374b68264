"""The language that an answer was asked for in, in a sample's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

CODE = re.compile("[a-z]{2,3}")


def language_of(metadata: Mapping[str, Any]) -> str | None:
    """Of `language`: an ISO 639 code, of `pt-BR` or `zh_Hans` what stands before the mark; None
    where there is none, or another thing."""
    given = metadata.get("language")
    if not isinstance(given, str) or len(given) > 35:  # of the longest tag there is
        return None
    code = re.split("[-_]", given.strip().lower())[0]
    return code if CODE.fullmatch(code) else None
