"""What a score is. Every module of this folder that is not a folder declares one metric, `METRIC`.
Other distributions add theirs by entry points of the group `assay.metrics` (docs/add-a-metric.md).

Knows no HTTP and no SQL; importing it loads no model library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from metrics.community import evaluate, imported, people
from metrics.core.errors import MetricError, UnknownMetric
from metrics.core.metric import AnyMetric, Metric
from metrics.core.names import hint, plain
from metrics.core.registry import declarations

GROUP = "assay.metrics"  # of entry points, each of which names a METRIC

# other names of metrics, as `plain` writes them
SYNONYMS = {
    "sacrebleu": "bleu",
    "bleu4": "bleu",
    "rouge1": "rouge",
    "rouge2": "rouge",
    "rougel": "rouge",
    "rougelsum": "rouge",
    "rougesu": "rouge_s",
    "rougesu4": "rouge_s",
    "rouges4": "rouge_s",
    "em": "exact_match",
    "exact": "exact_match",
    "f1": "token_f1",
    "squadf1": "token_f1",
    "ppl": "perplexity",
    "compressionratio": "compression",
    "arithmeticcoding": "compression",
    "mdl": "prequential_code_length",
    "descriptionlength": "prequential_code_length",
    "minimumdescriptionlength": "prequential_code_length",
    "onlinecodelength": "prequential_code_length",
    "expertload": "experts",
    "moe": "experts",
    "mixtureofexperts": "experts",
    "mtp": "multi_token",
    "multitokenprediction": "multi_token",
    "acceptancerate": "multi_token",
    "kvcache": "attention",
    "flashattention": "attention",
    "jsonschema": "format",
    "knowledgeprecision": "k_precision",
    "instructionfollowing": "ifeval",
    "instructionfollowingeval": "ifeval",
    "jsonvalid": "format",
    "regex": "format",
    "maj@k": "maj_at_k",
    "majority": "maj_at_k",
    "majorityvote": "maj_at_k",
    "selfconsistency": "maj_at_k",
    "ece": "calibration",
    "brier": "calibration",
    "brierscore": "calibration",
    "calibrationerror": "calibration",
    "acc": "accuracy",
    "macrof1": "f1_macro",
    "balancedaccuracy": "f1_macro",
    "matthews": "mcc",
    "matthewscorrelation": "mcc",
    "matthewscorrcoef": "mcc",
    "mathverify": "math_equal",
    "gsm8k": "math_equal",
    "math": "math_equal",
    "pass@k": "pass_at_k",
    "worderrorrate": "wer",
    "charactererrorrate": "cer",
    "googlebleu": "gleu",
    "sentencegleu": "gleu",
    "seqrep": "repetition",
    "seqrepn": "repetition",
    "mattr": "vocabulary",
    "ttr": "vocabulary",
    "wordmoverscore": "moverscore",
    "wordmover": "moverscore",
    "moverscorev2": "moverscore",
    "vendiscore": "vendi",
    "fbd": "frechet",
    "fid": "frechet",
    "frechetdistance": "frechet",
    "frechetbertdistance": "frechet",
    "distinct": "distinct_n",
    "distinctn": "distinct_n",
    "cosine": "sentence_similarity",
    "cosinesimilarity": "sentence_similarity",
    "semanticsimilarity": "sentence_similarity",
    "sbert": "sentence_similarity",
    "bleurt20": "bleurt",
    "cometkiwi": "comet",
    "comet22": "comet",
    "unite": "comet",
    "rewardmodel": "reward",
    "rm": "reward",
    "llmjudge": "judge",
    "llmasajudge": "judge",
    "geval": "judge",
    "summac": "nli",
    "summaczs": "nli",
    "entailment": "nli",
    "answerrelevancy": "answer_relevance",
    "qags": "qa_consistency",
    "questeval": "qa_consistency",
    "groundedness": "faithfulness",
    "factcc": "faithfulness",
    "fever": "faithfulness",
    "ndcg": "ranking",
    "mrr": "ranking",
    "map": "ranking",
    "recall@k": "ranking",
    "precision@k": "ranking",
    "ndcg@k": "ranking",
    "hitrate": "ranking",
    "flesch": "readability",
    "langid": "language",
    "pii": "personal_data",
    "toxic": "toxicity",
    "detoxify": "toxicity",
    "expectedmaximumtoxicity": "toxicity",
    "expectedmaxtoxicity": "toxicity",
    "toxicityprobability": "toxicity",
    "refusalrate": "refusal",
    "fleschkincaid": "readability",
}

# names of a metric with parameters of its own: these have to be given
WITH_PARAMS = {
    "chrf+": ("chrf", '{"word_order": 1}'),
    "chrf++": ("chrf", '{"word_order": 2}'),
    "chrfpp": ("chrf", '{"word_order": 2}'),
    "maj@8": ("maj_at_k", '{"k": [8]}'),
    "maj@16": ("maj_at_k", '{"k": [16]}'),
    "maj@32": ("maj_at_k", '{"k": [32]}'),
    "maj@64": ("maj_at_k", '{"k": [64]}'),
    "pass@1": ("pass_at_k", '{"k": [1]}'),
    "pass@5": ("pass_at_k", '{"k": [5]}'),
    "pass@10": ("pass_at_k", '{"k": [10]}'),
    "pass@100": ("pass_at_k", '{"k": [100]}'),
    "ndcg@10": ("ranking", '{"k": [10]}'),
    "recall@10": ("ranking", '{"k": [10]}'),
    "recall@100": ("ranking", '{"k": [100]}'),
}


@cache
def catalogue() -> Mapping[str, AnyMetric]:
    """Every metric by name: the listing of this folder, then those of other distributions.

    Raises MetricError for one that cannot be loaded, is no metric, or takes a name that is taken.
    """
    return declarations(__name__, __path__, Metric, GROUP, MetricError)


def find(name: str, roots: Sequence[Path] = ()) -> AnyMetric:
    """The metric called `name`, or meant by it: case, `-` and `_` do not count, and `em` is
    exact_match. Its own `name` is the one to keep. Raises UnknownMetric with the nearest names.

    `evaluate/<path>` names a metric of the `evaluate` library in a folder under one of `roots`,
    `imported/<score>` one whose values came with another harness's log, `human/<score>` one of
    people's votes.
    """
    if name.startswith(evaluate.PREFIX):
        return evaluate.declare(name, roots)
    if name.startswith(imported.PREFIX):
        return imported.declare(name)
    if name.startswith(people.PREFIX):
        return people.declare(name)
    known = catalogue()
    if name in known:
        return known[name]
    typed = plain(name)
    spelled = {plain(one): one for one in known}
    meant = spelled.get(typed, SYNONYMS.get(typed, ""))
    if meant in known:
        return known[meant]
    if typed in WITH_PARAMS:
        metric, params = WITH_PARAMS[typed]
        raise UnknownMetric(f"{name} is the metric {metric!r} with params {params}", "name")
    raise UnknownMetric(f"no metric is called {name!r}; {hint(name, known)}", "name")
