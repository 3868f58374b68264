"""Names that people type, and the names that were meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from inference.sentences import Sentence

MOST_NEAR = 3
MOST_SHOWN = 30  # names, where none is near

# of fields and options, by what is meant; which of them a request has, its schema says
MEANT = {
    "output": "prediction pred response completion answer hypothesis candidate generation text "
    "generated_text model_output",
    "outputs": "output predictions preds responses completions answers hypotheses candidates "
    "generations samples",
    "references": "reference label labels target targets answer answers gold ground_truth expected "
    "expected_output ideal ref refs",
    "prompt": "messages question input instruction query source problem context",
    "tests": "test test_code test_list unit_tests input_output test_cases public_tests",
    "completion": "response answer output label target",
    "messages": "conversation conversations turns",
    "chosen": "accepted preferred better winner",
    "rejected": "dispreferred worse loser",
    "rationale": "reasoning thinking thought chain_of_thought cot",
    "samples": "data examples instances items rows records",
    "records": "data examples instances items rows samples",
    "metadata": "meta tags extra",
    "system": "system_name run run_name model_name name",
    "model": "model_name model_id model_path base_model checkpoint",
    "dataset": "dataset_name dataset_id data",
    "metrics": "metric scores",
    "name": "metric",
    "metric": "name",
    "params": "parameters kwargs args options arguments",
    "options": "params parameters hyperparameters args training_args config",
    "generation": "generation_config sampling sampling_params generation_params",
    "replicates": "resamples n_bootstrap bootstrap",
    "level": "confidence confidence_level alpha",
    "max_new_tokens": "max_tokens max_length max_completion_tokens",
    "max_completion_length": "max_tokens max_new_tokens max_completion_tokens",
    "max_length": "max_seq_length max_seq_len seq_len max_tokens",
    "num_outputs": "n num_return_sequences num_samples num_generations",
    "num_generations": "n num_return_sequences num_samples group_size",
    "stop": "stop_sequences stop_strings",
    "dtype": "torch_dtype precision",
    "learning_rate": "lr",
    "epochs": "num_epochs num_train_epochs",
    "max_steps": "steps num_steps total_steps",
    "save_steps": "save_every checkpoint_every",
    "batch_size": "per_device_train_batch_size train_batch_size bs",
    "gradient_accumulation_steps": "grad_accum gradient_accumulation",
    "schedule": "lr_scheduler lr_scheduler_type scheduler",
    "rewards": "reward reward_funcs reward_model",
    "seed": "random_seed random_state",
}


def plain(name: str) -> str:
    """The name without case, `-`, `_` and spaces: what two spellings have in common."""
    return name.casefold().translate({ord(sign): None for sign in "-_ "})


MEANINGS: dict[str, list[str]] = {}
for _meant, _typed in MEANT.items():
    for _name in _typed.split():
        MEANINGS.setdefault(plain(_name), []).append(_meant)


def nearest(
    name: str, known: Iterable[str], meanings: Mapping[str, Iterable[str]] | None = None
) -> list[str]:
    """Up to three of the `known` names: the same but for its spelling, else what is meant by it,
    else those that are written alike."""
    there = list(known)
    typed = plain(name)
    same = [one for one in there if plain(one) == typed]
    meant = [one for one in (meanings or {}).get(typed, ()) if one in there]
    return (same or meant or _alike(name, there, 0.6) or _alike(name, there, 0.4))[:MOST_NEAR]


def _alike(name: str, known: list[str], least: float) -> list[str]:
    return difflib.get_close_matches(name, known, MOST_NEAR, cutoff=least)


def hint(
    name: str, known: Iterable[str], meanings: Mapping[str, Iterable[str]] | None = None
) -> Sentence:
    """`did you mean 'bleu'?`, or those there are when nothing is near."""
    there = list(known)
    near = nearest(name, there, meanings)
    if near:
        return Sentence("did you mean {near}?", near=_any_of(map(repr, near)))
    shown = ", ".join([*there[:MOST_SHOWN], *(["…"] if len(there) > MOST_SHOWN else [])])
    return Sentence("known: {names}", names=shown) if shown else Sentence("known: none")


def _any_of(names: Iterable[str]) -> Sentence:
    first, *others = names
    more = (Sentence(" or {name}", name=name) for name in others)
    return Sentence.joined([first, *more], "")


def without_value(field: str, there: Iterable[str]) -> Sentence:
    """That no sample has a value in a metadata field; `there`: the fields that samples have, the
    null ones, too."""
    fields = sorted(there)
    if field not in fields:
        lacking = "no sample has the metadata field {field!r}; {hint}"
        return Sentence(lacking, field=field, hint=hint(field, fields))
    return Sentence("no sample has a value in the metadata field {field!r}", field=field)
