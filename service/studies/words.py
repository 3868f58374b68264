"""What the text of a study says, in English and Russian, by form where forms differ."""

from __future__ import annotations

from collections.abc import Mapping

FORMS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "pairwise": "People compare two outputs for the same prompt. Comparing is easier than "
        "rating, and people agree more on it; it says which system is better, not how good it is.",
        "likert": "People rate one output at a time. It says how good a system is by itself; "
        "people use a scale each in their own way, so that it takes more of them.",
        "best_worst": "Of several outputs people choose the best and the worst: each vote orders "
        "most pairs of those shown, which suits many systems.",
        "label": "People put each output into a class: it counts how often something happens.",
        "edit": "People mend each output: it says how much work a system leaves, and the texts "
        "can be trained on. It is the slowest form.",
    },
    "ru": {
        "pairwise": "Люди сравнивают два ответа на один запрос. Сравнивать легче, чем ставить "
        "оценки, и согласия больше; так видно, какая система лучше, но не насколько она хороша.",
        "likert": "Люди оценивают ответы по одному. Так видно, насколько хороша система сама по "
        "себе; шкалу каждый понимает по-своему, поэтому людей нужно больше.",
        "best_worst": "Из нескольких ответов люди выбирают лучший и худший: голос упорядочивает "
        "большинство показанных пар, что удобно, когда систем много.",
        "label": "Люди относят каждый ответ к классу: так считают, как часто что-то случается.",
        "edit": "Люди исправляют каждый ответ: видно, сколько работы оставляет система, а на "
        "исправленном можно обучать. Это самая медленная форма.",
    },
}
MEASURES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "win_rate": "win rate against the others, from 0 to 1, a tie half a win",
        "rating": "mean rating",
        "best_less_worst": "share of being best less that of being worst, from -1 to 1",
        "label_share": "share of outputs with a label, from 0 to 1",
        "kept_share": "share of the text that edits keep, from 0 to 1",
    },
    "ru": {
        "win_rate": "доля побед над остальными, от 0 до 1, ничья за половину",
        "rating": "средняя оценка",
        "best_less_worst": "доля «лучший» минус доля «худший», от -1 до 1",
        "label_share": "доля ответов с меткой, от 0 до 1",
        "kept_share": "доля текста, которую оставляют правки, от 0 до 1",
    },
}
ANALYSIS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "pairwise": "Win rates, ties half; strengths by the Bradley–Terry model with ties "
        "(Davidson), raw, and controlled for place, length and layout.",
        "likert": "Mean ratings, and differences on the same samples; beside them means without "
        "the severity of annotators.",
        "best_worst": "Counts, best less worst, and strengths of the MaxDiff model.",
        "label": "Shares of each label, as voted and by the label model (Dawid and Skene), which "
        "weighs annotators by their errors.",
        "edit": "The share of the text that was kept, differences on the same samples, and how "
        "many outputs were changed at all.",
    },
    "ru": {
        "pairwise": "Доли побед, ничья за половину; силы по модели Брэдли — Терри с ничьими "
        "(Дэвидсон), как есть и с поправкой на место, длину и оформление.",
        "likert": "Средние оценки и разности на одних и тех же примерах; рядом средние без "
        "строгости аннотаторов.",
        "best_worst": "Счёт «лучший минус худший» и силы по модели MaxDiff.",
        "label": "Доли меток: по голосам и по модели меток (Дэвид и Скин), которая учитывает "
        "ошибки каждого аннотатора.",
        "edit": "Сохранённая доля текста, разности на одних и тех же примерах, а также сколько "
        "ответов вообще изменено.",
    },
}
CANNOT: Mapping[str, Mapping[str, str]] = {
    "en": {
        "pairwise": "Win rates hold for the opponents at hand: another system changes them.",
        "likert": "Ratings compare within this panel and these instructions, not across studies.",
        "best_worst": "It says nothing of how good the best is: all may be poor.",
        "label": "What no label names is not counted.",
        "edit": "How much was changed is not how bad it was: one word can be the worst mistake.",
    },
    "ru": {
        "pairwise": "Доли побед верны для этих соперников: с другой системой они изменятся.",
        "likert": "Оценки сравнимы внутри этой группы и инструкции, но не между исследованиями.",
        "best_worst": "Насколько хорош лучший, не видно: плохими могут быть все.",
        "label": "Чего нет среди меток, то не посчитано.",
        "edit": "Объём правки не тяжесть ошибки: хуже всего бывает одно слово.",
    },
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "form": "The form, and why",
        "many": "How many",
        "wanted": "Each system's {measure}: ± {wanted}, at a confidence level of {level}%.",
        "items": "{items} items, {overlap} people on each: {votes} votes. Each of {systems} "
        "systems is in {items_each} items.",
        "people": "{annotators} people, {votes_each} votes each, those for attention not counted.",
        "expected": "The interval is then to be ± {half_width}. Votes of the same person, or on "
        "the same item, are alike: the variance is {design_effect} times that of as many single "
        "votes. More items help most, then more people, votes on the same items least.",
        "missing": "The project has {there} items, {missing} fewer than that.",
        "enough": "The project has {there} items, which is enough.",
        "assumed": "These numbers rest on an assumed spread of votes ({spread}), not on a measured "
        "one: ask again when there are {least_votes} votes of {least_people} people, a pilot.",
        "pilot": "These numbers rest on {pilot} votes of a pilot ({spread}).",
        "spread": "deviation {deviation}; of its variance {of_items}% between items, "
        "{of_annotators}% between annotators",
        "checks": "Checks of attention",
        "gold": "Write {gold} gold questions: each person meets as many. Below 0.8 right, somebody "
        "is not reading; decide before the study whose votes are left out.",
        "no_gold": "There are no gold questions: only disagreement shows who votes at random.",
        "repeats": "{repeats}% of what is shown comes twice, and says who answers the same again.",
        "no_repeats": "No item comes twice: how consistent a person is, is not measured.",
        "analysis": "How results will be analysed",
        "intervals": "Intervals at {level}%, by Student's t, votes clustered by annotators, and by "
        "items, too, where the form has it: a vote is not a person.",
        "agreement": "Agreement: Krippendorff's alpha with a bootstrap interval, beside it Fleiss' "
        "kappa and the percentage.",
        "several": "{pairs} pairs of systems are tested: p-values are corrected by Holm's method.",
        "one": "One pair of systems is tested: there is nothing to correct.",
        "none": "No systems are compared.",
        "stopping": "Stop at {votes} votes, whoever leads. Looking earlier is for the spread of "
        "votes, to plan anew; stopping because a difference has just become significant finds "
        "differences where there are none.",
        "cannot": "What this study cannot tell",
        "small": "True differences between systems below about {least} will often not be told from "
        "chance. No difference found is no proof of none.",
        "prompts": "Items of the same prompt count as different ones here: the fewer prompts there "
        "are, the wider intervals will be.",
        "others": "Other prompts than these, and people unlike these: both are thought to be drawn "
        "at random.",
    },
    "ru": {
        "form": "Форма и почему она",
        "many": "Сколько нужно",
        "wanted": "Для каждой системы {measure}: ± {wanted} при доверительном уровне {level}%.",
        "items": "Заданий: {items}, людей на каждое: {overlap}, голосов: {votes}. Систем: "
        "{systems}, заданий с каждой: {items_each}.",
        "people": "Людей: {annotators}, голосов у каждого: {votes_each}, кроме проверок внимания.",
        "expected": "Ожидаемый интервал: ± {half_width}. Голоса одного человека и голоса по одному "
        "заданию похожи: дисперсия больше, чем у стольких же отдельных голосов, "
        "в {design_effect} раза. Больше всего помогают новые задания, затем новые люди, меньше "
        "всего новые голоса по тем же заданиям.",
        "missing": "В проекте заданий: {there}, не хватает: {missing}.",
        "enough": "В проекте заданий: {there}, этого достаточно.",
        "assumed": "Числа опираются на предполагаемый, а не измеренный разброс голосов ({spread}): "
        "спросите снова, когда будет голосов {least_votes} от {least_people} человек (пилот).",
        "pilot": "Числа опираются на пилот, голосов в нём: {pilot} ({spread}).",
        "spread": "отклонение {deviation}; {of_items}% дисперсии между заданиями, "
        "{of_annotators}% между аннотаторами",
        "checks": "Проверки внимания",
        "gold": "Напишите контрольных вопросов: {gold}, столько встретит каждый. Меньше 0.8 верных "
        "значит, что человек не читает; заранее решите, чьи голоса не учитываются.",
        "no_gold": "Контрольных вопросов нет: случайные голоса видны только по несогласию.",
        "repeats": "{repeats}% показанного повторяется: видно, кто отвечает так же снова.",
        "no_repeats": "Повторов нет: насколько человек согласен сам с собой, не измеряется.",
        "analysis": "Как будут анализироваться результаты",
        "intervals": "Интервалы уровня {level}%, по Стьюденту, с кластерами по аннотаторам, а где "
        "форма позволяет, и по заданиям: голос ещё не человек.",
        "agreement": "Согласие: альфа Криппендорфа с бутстреп-интервалом, рядом каппа Флейса и "
        "процент.",
        "several": "Проверяемых пар систем: {pairs}; p-значения исправляются методом Холма.",
        "one": "Проверяется одна пара систем: исправлять нечего.",
        "none": "Системы не сравниваются.",
        "stopping": "Остановиться на {votes} голосах, кто бы ни был впереди. Раньше смотрят только "
        "на разброс, чтобы пересчитать план; остановка, как только разность стала значимой, "
        "находит разности там, где их нет.",
        "cannot": "Чего это исследование не скажет",
        "small": "Настоящие разности между системами меньше примерно {least} часто не отличить от "
        "случая. Не найденная разность не доказывает, что её нет.",
        "prompts": "Задания с одним запросом считаются здесь разными: чем меньше запросов, тем "
        "шире будут интервалы.",
        "others": "Что будет с другими запросами и непохожими людьми: те и другие считаются "
        "выбранными случайно.",
    },
}
