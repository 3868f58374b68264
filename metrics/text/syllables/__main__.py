"""`python -m metrics.text.syllables cmudict.dict`: writes what the rule gets wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from metrics.text.syllables import by_rule


def counts(dictionary: Path) -> Iterator[tuple[str, int]]:
    """Syllables of each word's first pronunciation: phones that end with their stress."""
    for line in dictionary.read_text("utf8").splitlines():
        word, *phones = line.partition("#")[0].split()
        if not word.endswith(")"):
            yield word, sum(phone[-1].isdigit() for phone in phones)


def main(dictionary: Path) -> None:
    """Writes exceptions.txt beside this file."""
    wrong = sorted(
        (word, count) for word, count in counts(dictionary) if count not in {0, by_rule(word)}
    )
    text = "".join(f"{word} {count}\n" for word, count in wrong)
    Path(__file__).with_name("exceptions.txt").write_text(text, "utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
