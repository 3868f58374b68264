"""IFEval's 25 kinds of instructions: their arguments, and whether a text follows them.

A text follows an instruction as instruction_following_eval has it (Zhou et al. 2023). Here words
and phrases that it takes for regular expressions stand for themselves, sentences are those of
`metrics.text.segments`, and languages are told by py3langid among those that langdetect knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from inference.errors import InputError
from inference.sentences import Sentence
from metrics.core.instructions import Instruction
from metrics.core.names import hint
from metrics.text import following
from metrics.text.following import Given

RELATIONS = ("less than", "at least")
LONGEST = 10_000  # characters of an argument
MOST = 1_000_000
MOST_WORDS = 100  # of a list of them


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of instruction.

    follows    whether a text does, given the arguments
    numbers    arguments that are whole numbers from 0; texts: not empty; lists: of such texts
    relations  arguments of RELATIONS
    """

    follows: Callable[[str, Given], bool]
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """An instruction with its arguments."""

    id: str
    kind: Kind
    given: Given

    def strict(self, text: str) -> bool:
        """Whether the text follows it; a blank one follows nothing."""
        return bool(text.strip()) and self.kind.follows(text, self.given)


def variants(text: str) -> list[str]:
    """The text as it is, and without stars, its first line, its last line: one follows loosely
    where one of these does."""
    lines = text.split("\n")
    shorter = ("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))
    whole = [text, *shorter]
    return list(dict.fromkeys([*whole, *(one.replace("*", "") for one in whole)]))


def check_of(instruction: Instruction) -> Check:
    """Raises InputError for an unknown kind, and for arguments that lack or are of no use."""
    id, written = instruction
    kind = KINDS.get(id)
    if kind is None:
        unknown = "no kind of instruction is called {id!r:.100}; {hint}"
        near = hint(id[:100], KINDS)
        raise InputError(Sentence(unknown, id=id, hint=near), "instruction_id_list")
    given = orjson.loads(written)
    for name in kind.numbers:
        given[name] = _number(id, name, given.get(name))
    for name in kind.texts:
        given[name] = _text(id, name, given.get(name))
    for name in kind.lists:
        listed = given.get(name)
        if not isinstance(listed, list) or not 0 < len(listed) <= MOST_WORDS:
            wanted = Sentence("a list of 1 to {most} texts", most=MOST_WORDS)
            raise _wrong(id, name, wanted)
        given[name] = [_text(id, name, one) for one in listed]
    for name in kind.relations:
        if given.get(name) not in RELATIONS:
            raise _wrong(id, name, Sentence("`less than` or `at least`"))
    return Check(id, kind, given)


def _number(id: str, name: str, value: Any) -> int:
    """Tables of arguments make 3 a 3.0."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if known and 0 <= value <= MOST and value == int(value):
        return int(value)
    raise _wrong(id, name, Sentence("a whole number from 0 to {most:,}", most=MOST))


def _text(id: str, name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
        raise _wrong(id, name, Sentence("a text of at most {most:,} characters", most=LONGEST))
    return value


def _wrong(id: str, name: str, what: Sentence) -> InputError:
    told = Sentence("{id} needs {name!r}, {what}", id=id, name=name, what=what)
    return InputError(told, f"kwargs.{name}")


def _kind(follows: Any, **arguments: Sequence[str]) -> Kind:
    return Kind(follows, **{name: tuple(one) for name, one in arguments.items()})


KINDS: Mapping[str, Kind] = {
    "keywords:existence": _kind(
        lambda text, given: all(following.times(word, text) for word in given["keywords"]),
        lists=["keywords"],
    ),
    "keywords:frequency": _kind(
        following.KEYWORD, numbers=["frequency"], texts=["keyword"], relations=["relation"]
    ),
    "keywords:forbidden_words": _kind(following.forbidden, lists=["forbidden_words"]),
    "keywords:letter_frequency": _kind(
        following.LETTER, numbers=["let_frequency"], texts=["letter"], relations=["let_relation"]
    ),
    "language:response_language": _kind(
        lambda text, given: following.speaks(text, given["language"]), texts=["language"]
    ),
    "length_constraints:number_sentences": _kind(
        following.SENTENCES, numbers=["num_sentences"], relations=["relation"]
    ),
    "length_constraints:number_paragraphs": _kind(following.paragraphs, numbers=["num_paragraphs"]),
    "length_constraints:number_words": _kind(
        following.WORDS, numbers=["num_words"], relations=["relation"]
    ),
    "length_constraints:nth_paragraph_first_word": _kind(
        following.nth_paragraph, numbers=["num_paragraphs", "nth_paragraph"], texts=["first_word"]
    ),
    "detectable_content:number_placeholders": _kind(
        following.placeholders, numbers=["num_placeholders"]
    ),
    "detectable_content:postscript": _kind(following.postscript, texts=["postscript_marker"]),
    "detectable_format:number_bullet_lists": _kind(following.bullets, numbers=["num_bullets"]),
    "detectable_format:constrained_response": _kind(
        lambda text, given: any(option in text for option in following.OPTIONS)
    ),
    "detectable_format:number_highlighted_sections": _kind(
        following.highlights, numbers=["num_highlights"]
    ),
    "detectable_format:multiple_sections": _kind(
        following.sections, numbers=["num_sections"], texts=["section_spliter"]
    ),
    "detectable_format:json_format": _kind(following.json_text),
    "detectable_format:title": _kind(following.title),
    "combination:two_responses": _kind(following.two_responses),
    "combination:repeat_prompt": _kind(following.repeats, texts=["prompt_to_repeat"]),
    "startend:end_checker": _kind(following.ends, texts=["end_phrase"]),
    "startend:quotation": _kind(following.quoted),
    "change_case:capital_word_frequency": _kind(
        following.capital_words, numbers=["capital_frequency"], relations=["capital_relation"]
    ),
    "change_case:english_capital": _kind(
        lambda text, given: text.isupper() and following.speaks(text, "en")
    ),
    "change_case:english_lowercase": _kind(
        lambda text, given: text.islower() and following.speaks(text, "en")
    ),
    "punctuation:no_comma": _kind(lambda text, given: "," not in text),
}
