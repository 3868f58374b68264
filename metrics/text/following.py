"""Whether a text follows an instruction of IFEval, kind by kind, given its arguments.

Every check takes time in proportion to the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from metrics.text.languages import identifier_of, identify
from metrics.text.segments import sentences_of

OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")

# ISO 639-1: what langdetect 1.0.9 tells apart and py3langid knows
LANGUAGES = (
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr "
    "ne nl no pa pl pt ro ru sk sl sq sv sw ta te th tl tr uk ur vi zh"
)

Given = Mapping[str, Any]


def _holds(count: int, relation: str, bound: int) -> bool:
    return count < bound if relation == "less than" else count >= bound


def times(word: str, text: str) -> int:
    """How often the word stands in the text, in any case."""
    return len(re.findall(re.escape(word), text, re.IGNORECASE))


def _sentences(text: str, given: Given) -> int:
    """A new line ends none; a text that is not blank has one at least."""
    return max(1, len(sentences_of(" ".join(text.split()))))


def forbidden(text: str, given: Given) -> bool:
    """None of `forbidden_words` stands in it as a whole word, in any case."""
    return not any(
        re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)
        for word in given["forbidden_words"]
    )


def _language(text: str) -> str:
    """The most likely one; empty where nothing tells it."""
    if not any(map(str.isalpha, text)):
        return ""
    plain = text.lower() if text.isupper() else text
    return identify(plain, identifier_of(tuple(LANGUAGES.split())), 0.0)


def speaks(text: str, language: str) -> bool:
    """What tells no language speaks every one."""
    return _language(text) in {"", language.lower().split("-")[0]}


def placeholders(text: str, given: Given) -> bool:
    """At least `num_placeholders` pairs of square brackets on one line each."""
    count, at = 0, 0
    for line in text.split("\n"):
        at = line.find("[")
        while at >= 0 and (end := line.find("]", at)) >= 0:
            count, at = count + 1, line.find("[", end)
    return bool(count >= given["num_placeholders"])


def bullets(text: str, given: Given) -> bool:
    """Lines that begin with a dash, or with one star; after a star alone, the next line counts as
    its point's text."""
    starred = dashed = 0
    in_point = False
    for line in text.split("\n"):
        begun = line.lstrip()
        dashed += begun.startswith("-")
        if in_point:
            in_point = False
        elif begun == "*":
            in_point = True
        else:
            starred += begun.startswith("*") and begun[1] != "*"
        starred += in_point
    lone = in_point  # a star alone at the text's end is none
    return bool(starred - lone + dashed == given["num_bullets"])


def highlights(text: str, given: Given) -> bool:
    """At least `num_highlights` texts between stars, or between pairs of them."""
    found = re.findall(r"\*([^\n*]*)\*", text) + re.findall(r"\*\*([^\n*]*)\*\*", text)
    return bool(sum(1 for one in found if one.strip()) >= given["num_highlights"])


def sections(text: str, given: Given) -> bool:
    """At least `num_sections` times `section_spliter` with a number after it."""
    mark = re.escape(given["section_spliter"].strip())
    return bool(len(re.findall(rf"{mark}\s?\d+", text)) >= given["num_sections"])


def paragraphs(text: str, given: Given) -> bool:
    """Between dividers of three stars; none but the first and the last may be blank."""
    parts = [bool(part.strip()) for part in re.split(r"\s?\*{3}\s?", text)]
    return bool(all(parts[1:-1]) and sum(parts) == given["num_paragraphs"])


def nth_paragraph(text: str, given: Given) -> bool:
    """Of `num_paragraphs` parted by empty lines, one begins with `first_word`."""
    parts = text.split("\n\n")
    count, nth = sum(1 for part in parts if part.strip()), given["nth_paragraph"]
    if not 0 < nth <= count or count != given["num_paragraphs"] or not parts[nth - 1].strip():
        return False
    word = parts[nth - 1].split()[0].lstrip("'").lstrip('"')
    first: str = given["first_word"]
    return re.split(r"[.,?!'\"]", word)[0].lower() == first.lower()


def postscript(text: str, given: Given) -> bool:
    """It has the marker of a postscript, in any case."""
    patterns = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    mark = given["postscript_marker"].strip()
    return bool(re.search(patterns.get(mark, re.escape(mark.lower())), text.lower()))


def json_text(text: str, given: Given) -> bool:
    """It is JSON, with or without a Markdown fence around it."""
    inner = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        inner = inner.removeprefix(fence)
    try:
        json.loads(inner.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(text: str, given: Given) -> bool:
    """Of a line, from its first << to its last >>."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start <= end - 3 and line[start:end].lstrip("<").rstrip(">").strip():
            return True
    return False


def two_responses(text: str, given: Given) -> bool:
    """Two unlike texts, parted by six stars."""
    parts = [part.strip() for part in text.split("*" * 6)]
    full = [part for part in parts if part]
    return all(parts[1:-1]) and len(full) == 2 and full[0] != full[1]


def ends(text: str, given: Given) -> bool:
    """It ends with `end_phrase`, in any case."""
    return text.strip().strip('"').lower().endswith(given["end_phrase"].strip().lower())


def repeats(text: str, given: Given) -> bool:
    """It begins with `prompt_to_repeat`, in any case."""
    return text.strip().lower().startswith(given["prompt_to_repeat"].strip().lower())


def capital_words(text: str, given: Given) -> bool:
    """So many words of NLTK's tokenizer are in capitals."""
    from nltk.tokenize.destructive import NLTKWordTokenizer

    words = NLTKWordTokenizer().tokenize(text)
    count = sum(1 for word in words if word.isupper())
    return _holds(count, given["capital_relation"], given["capital_frequency"])


def quoted(text: str, given: Given) -> bool:
    """It stands between double quotes."""
    inner = text.strip()
    return len(inner) > 1 and inner[0] == inner[-1] == '"'


def _counted(count: Callable[[str, Given], int], bound: str, relation: str) -> Any:
    return lambda text, given: _holds(count(text, given), given[relation], given[bound])


SENTENCES = _counted(_sentences, "num_sentences", "relation")
WORDS = _counted(lambda text, given: len(re.findall(r"\w+", text)), "num_words", "relation")
KEYWORD = _counted(
    lambda text, given: times(given["keyword"].strip(), text), "frequency", "relation"
)
LETTER = _counted(
    lambda text, given: text.lower().count(given["letter"].strip().lower()),
    "let_frequency",
    "let_relation",
)
