"""What tables and reports say of themselves, in English and Russian; what metrics say stands in
`translation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metrics.suites.choosing import LeftOut
from metrics.suites.wording import Lang
from metrics.suites.wording import left_out as left_out_sentence

ENGLISH = {
    "score": "score",
    "slice": "slice",
    "value": "value",
    "interval": "{level:.0%} interval",
    "clusters": "clusters",
    "effect": "design effect",
    "missing": "missing",
    "arrows": "higher, lower values are better",
    "suite": "suite {name}: {about}",
    "language": "language of the answers: {}",
    "unknown": "not told",
    "why": "What is measured, and what it cannot see",
    "metric": "metric",
    "in_place": "{name} in place of {entry}",
    "reason": "why it is there",
    "cannot_see": "what it cannot see",
    "left_out": "What is not measured",
    "distributions": "Distributions",
    "of_samples": "The samples' own values, from the least to the greatest.",
    "quantiles": "least, quartiles, greatest",
    "correlations": "Correlation between metrics",
    "which": "Over the samples that both have: Spearman's above the diagonal, Pearson's below.",
    "correlated_interval": "Small: the {level:.0%} interval; {mark} where it holds 0.",
    "spearman": "Spearman's",
    "pearson": "Pearson's",
    "apart": "n where samples lack one of the two: {}",
    "worst": "Worst samples",
    "sample": "sample",
    "prompt": "prompt",
    "output": "output",
    "reference": "reference",
    "many_slices": "{field} has {count} values: the {most} with most samples are shown",
    "long_slices": "{field}: values of more than {longest} characters are no slices",
}
RUSSIAN = {
    "score": "показатель",
    "slice": "срез",
    "value": "значение",
    "interval": "интервал {level:.0%}",
    "clusters": "кластеры",
    "effect": "эффект дизайна",
    "missing": "пропущено",
    "arrows": "лучше большие, меньшие значения",
    "suite": "набор {name}: {about}",
    "language": "язык ответов: {}",
    "unknown": "не определён",
    "why": "Что измеряется и чего метрика не видит",
    "metric": "метрика",
    "in_place": "{name} вместо {entry}",
    "reason": "зачем она здесь",
    "cannot_see": "чего не видит",
    "left_out": "Что не измерено",
    "distributions": "Распределения",
    "of_samples": "Значения отдельных примеров, от наименьшего до наибольшего.",
    "quantiles": "наименьшее, квартили, наибольшее",
    "correlations": "Корреляция метрик",
    "which": "По примерам, у которых есть обе: над диагональю Спирмен, под ней Пирсон.",
    "correlated_interval": "Мелко: интервал {level:.0%}; {mark}, если в нём лежит 0.",
    "spearman": "Спирмен",
    "pearson": "Пирсон",
    "apart": "n, где у примеров нет одной из двух: {}",
    "worst": "Худшие примеры",
    "sample": "пример",
    "prompt": "запрос",
    "output": "ответ",
    "reference": "эталон",
    "many_slices": "у поля {field} значений {count}: показаны {most} с наибольшим числом примеров",
    "long_slices": "{field}: значения длиннее {longest} знаков срезов не дают",
}
WORDS: Mapping[Lang, Mapping[str, str]] = {"en": ENGLISH, "ru": RUSSIAN}


def many(samples: int, lang: Lang = "en") -> str:
    """So many samples, in words."""
    if lang == "en":
        return "1 sample" if samples == 1 else f"{samples} samples"
    if samples % 10 == 1 and samples % 100 != 11:
        return f"{samples} пример"
    few = 2 <= samples % 10 <= 4 and not 12 <= samples % 100 <= 14
    return f"{samples} {'примера' if few else 'примеров'}"


def told(left_out: Sequence[LeftOut], lang: Lang = "en") -> list[str]:
    """What of a suite is not measured, and why, as sentences."""
    return [left_out_sentence(one.metric, one.reason, one.instead, lang) for one in left_out]
