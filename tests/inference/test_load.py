"""Tokenizers: what they keep of texts."""

from __future__ import annotations

import ctypes
import random
from pathlib import Path

import pytest

from inference.load import load_tokenizer
from tests.tiny_models import build_language_model

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = 10_000  # as many as BPE keeps by default


class Allocated(ctypes.Structure):
    """What glibc's mallinfo2 says; `uordblks` are the bytes that are used."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]
    uordblks: int


def test_tokenizers_keep_no_words(tmp_path: Path) -> None:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("the C library does not say what is allocated (glibc 2.33 does)")
    libc.mallinfo2.restype = Allocated
    tokenizer = load_tokenizer(build_language_model(tmp_path))
    draw = random.Random(0)
    tokenizer("a first word")
    before = libc.mallinfo2().uordblks
    for _ in range(WORDS):
        tokenizer("".join(draw.choices(LETTERS, k=12)))
    kept = libc.mallinfo2().uordblks - before
    assert kept < 100 * WORDS, f"{kept / WORDS:.0f} bytes of each word"
