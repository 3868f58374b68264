"""Sentences, without a model: after an end mark, at whitespace or in the scripts without it."""

from __future__ import annotations

import re

# An end mark with what closes after it, then whitespace; or an ideographic end mark by itself.
# Not after a single capital ("J. Smith", "А. С. Пушкин") and not before a small letter ("e.g. so").
_END = re.compile(
    r"(?:(?<![^\W\d_])|(?<=[^\W\d_]{2})|(?<=[^\W\d_A-ZА-ЯЁ]))"
    r"(?P<end>[.!?…]+[\"'»”’)\]]*)\s+(?=[^\s])"
    r"|(?P<ideographic>[。！？｡]+[」』”’）]*)\s*(?=\S)"
)


def split_sentences(text: str) -> list[str]:
    """Sentences of `text`, none of them empty; newlines end a sentence too.

    Only whitespace is lost, and only between sentences. A rule of thumb: it errs on "Dr. House".
    """
    sentences = []
    for line in text.split("\n"):
        start = 0
        for found in _END.finditer(line):
            following = line[found.end()]
            if found["end"] and following.islower():
                continue
            sentences.append(line[start : found.end()])
            start = found.end()
        sentences.append(line[start:])
    return [sentence.strip() for sentence in sentences if sentence.strip()]
