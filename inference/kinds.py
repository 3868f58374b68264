"""Whether a model can be what it is asked for, by its configuration; no weight is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from inference.names import Location, origin
from inference.sentences import Sentence

# chat, likelihood: a language model, here or behind a URL; embedding: what gives a text a vector,
# here or behind a URL; encoder: what gives each token a state, which no URL does
# classifier: one output, a reward model; labels: a classifier whose outputs have names
# answers: extractive question answering; seq2seq: an encoder-decoder, which rewrites a text
ModelKind = Literal[
    "language",
    "chat",
    "likelihood",
    "classifier",
    "labels",
    "embedding",
    "encoder",
    "answers",
    "seq2seq",
]

CALLED = {
    "language": "language model",
    "chat": "language model",
    "classifier": "reward model",
    "labels": "classifier with labels",
    "answers": "question answering model",
    "seq2seq": "encoder-decoder",
}

# ends of architectures' names that cannot be of the kind; other ones are for the loader to judge
DECODERS = ("ForCausalLM", "LMHeadModel")
HEADS = ("ForTokenClassification", "ForMaskedLM", "ForMultipleChoice")
OTHER_HEADS = ("ForQuestionAnswering", *HEADS)
NOT = {
    "language": ("ForSequenceClassification", *OTHER_HEADS),
    "classifier": (*DECODERS, *OTHER_HEADS),
    "labels": (*DECODERS, *OTHER_HEADS),
    "answers": (*DECODERS, "ForSequenceClassification", "ForConditionalGeneration", *HEADS),
    "seq2seq": (*DECODERS, "ForSequenceClassification", *OTHER_HEADS),
}
ENCODERS = {  # without a head they generate nothing
    *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "ernie"),
    *("modernbert", "mpnet", "nomic_bert", "roberta", "xlm-roberta"),
}


def fault(location: Location, kind: ModelKind) -> Sentence | None:
    """Why the model cannot be of the kind, as a sentence; None where it may be."""
    if kind in {"embedding", "encoder"}:  # any transformer has states
        return None
    kind = "language" if kind in {"chat", "likelihood"} else kind
    if location.gguf is not None:
        what = None if kind == "language" else Sentence("a model in a GGUF file")
    elif location.base is not None and location.folder is not None:
        what = _of_adapter(location.folder, kind)
    else:
        what = _of_model(location.folder, kind) if location.folder is not None else None
    if what is None:
        return None
    called = Sentence.plain(CALLED[kind])
    form = "{name!r} is no {called}: it is {what}"
    return Sentence(form, name=location.name, called=called, what=what)


def _of_adapter(folder: Path, kind: ModelKind) -> Sentence | None:
    produces = origin(folder).get("produces", kind)
    if produces == kind:
        return None
    called = Sentence.plain(str(CALLED.get(produces, produces)))
    return Sentence("an adapter that makes a {called}", called=called)


def _of_model(folder: Path, kind: ModelKind) -> Sentence | None:
    try:
        config = json.loads((folder / "config.json").read_bytes())
        names = [str(name) for name in config.get("architectures") or ()]
        type_ = config.get("model_type")
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    bare = kind == "language" and type_ in ENCODERS
    if not names or not all(
        name.endswith(NOT[kind]) or (bare and name.endswith("Model")) for name in names
    ):
        return None
    return Sentence("a {names}", names=", ".join(names))
