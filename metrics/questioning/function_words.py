"""Words that no answer begins or ends with: articles, pronouns, prepositions, conjunctions,
auxiliaries."""

from __future__ import annotations

_ENGLISH = """
    a an the this that these those it its he him his she her hers they them their theirs we us our
    ours you your yours i me my mine who whom whose which what when where why how and or but nor so
    yet if because although though while as than then of in on at by for with from to into onto over
    under about after before between through during without within against among is are was were be
    been being am do does did done have has had having will would shall should can could may might
    must not no there here also only just very too more most such some any each every all both one
    other another own same said says say s t
"""
_OTHER_LATIN = """
    der die das den dem des ein eine einen einem einer und oder aber mit von zu im am auf für ist
    sind war waren hat haben nicht sich le la les un une et ou de du des en dans sur avec pour par
    est sont était ne pas que qui el los las una y o del al con por para es son fue no se il lo gli
    i di da che e è sono um uma os as do dos das em na não é
"""
_RUSSIAN = """
    и в во не что он на я с со как а то все всё она так его но да ты к у же вы за бы по только
    ее её мне было вот от меня еще ещё нет о об из ему теперь когда даже ну вдруг ли если уже
    или ни быть был него до вас нибудь опять уж вам ведь там потом себя ничего ей может они тут
    где есть надо ней для мы тебя их чем была сам чтоб чтобы без будто чего раз тоже себе под
    будет ж тогда кто этот эта это эти того потому этого какой совсем ним здесь этом один почти
    мой тем нее неё сейчас были куда зачем всех никогда можно при наконец два другой хоть после
    над больше тот через нас про всего них какая много разве три эту моя впрочем хорошо свою
    этой перед иногда лучше чуть том такой им более всегда конечно всю между который которая
    которое которые также
"""
_ARABIC = """
    في من على إلى عن مع هذا هذه ذلك تلك التي الذي الذين هو هي هم أن إن كان كانت يكون لا لم لن ما قد
    و أو ثم بل لكن كل بعض غير بين بعد قبل عند منذ حتى إذا كما هل نعم أنا نحن أنت أي كيف متى أين
    لماذا
"""
FUNCTION_WORDS = frozenset(" ".join((_ENGLISH, _OTHER_LATIN, _RUSSIAN, _ARABIC)).split())

# of Chinese and Japanese, which write no spaces: characters that stand between phrases
BETWEEN = frozenset(
    "的了是在和与及或把被对对从到向为以而但也都就又还很最更不没有这那哪个些我你他她它们们吗呢吧啊着过将"
    "はがをにのでとへもやかねよ"
)
