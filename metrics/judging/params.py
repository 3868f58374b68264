"""Parameters of the metric `judge`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from inference.protocol import DType
from metrics.core.metric import Params, settle_only
from metrics.judging import templates
from metrics.judging.templates import InvalidRubric, Language

Mode = Literal["score", "label", "checklist", "pairwise"]
Text = Annotated[str, Field(min_length=1, max_length=templates.LONGEST_RUBRIC)]
Label = Annotated[str, Field(min_length=1, max_length=100)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

YES_NO = {"en": ("yes", "no"), "ru": ("да", "нет")}
PAIR = {"en": ("A", "B", "tie"), "ru": ("A", "B", "ничья")}
MOST_LABELS = 26  # whose likelihoods are asked for


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Against(_Part):
    """Whose outputs a response is compared with."""

    evaluation: str | None = Field(None, description="an evaluation's id: its outputs")
    system: str | None = Field(None, description="the newest evaluation of a system on the dataset")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.evaluation is None) == (self.system is None):
            raise PydanticCustomError("one_opponent", "name an evaluation or a system")
        return self


class Calibrate(_Part):
    """People's ratings of some samples, by which the judge's mean is corrected."""

    ratings: str | dict[str, str] = Field(
        description="the metadata field that holds them; of several criteria, a field for each"
    )


def _named(value: Any) -> Any:
    """A list of criteria as texts by their names: a ready rubric's name, or the question itself."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return {one: one for one in value}
    return value


def _spaced(value: Any) -> Any:
    """A list of labels, the best first, as values from 1 to 0 at equal distances."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        last = max(1, len(value) - 1)
        return {one: 1 - at / last for at, one in enumerate(value)}
    return value


def _opponent(value: Any) -> Any:
    return None if value == "reference" else value


class JudgeParams(Params):
    """Who judges what, and how the judge is asked."""

    model: str | None = Field(None, description="the judge: any model that can chat")
    panel: tuple[str, ...] = Field((), max_length=9, description="several judges, instead of one")
    mode: Mode = Field("score", description="a grade, a label, yes/no questions, or a comparison")
    rubric: Text = Field(
        "helpfulness",
        description="a ready rubric's name, or an own text: a Jinja template over prompt, output "
        "and references (of pairwise: first and second)",
    )
    criteria: Annotated[
        dict[Label, Text],
        BeforeValidator(_named, json_schema_input_type=list[str] | dict[str, str]),
    ] = Field({}, max_length=30, description="several rubrics by name, or a checklist's questions")
    language: Language = Field("en", description="of the question to the judge")
    scale: tuple[int, int] = Field((1, 5), description="worst and best grade")
    labels: Annotated[
        dict[Label, Finite],
        BeforeValidator(_spaced, json_schema_input_type=list[str] | dict[str, float]),
    ] = Field({}, max_length=MOST_LABELS, description="values by label; a list: the best first")
    against: Annotated[
        Against | None, BeforeValidator(_opponent, json_schema_input_type=Against | None)
    ] = Field(None, description="of pairwise; null: the reference text")
    reasons: bool = Field(False, description="the judge says why first, and answers in JSON")
    likelihoods: bool = Field(
        True, description="where the model gives them, the answer expected by its likelihoods"
    )
    repeats: int = Field(1, ge=1, le=32, description="answers drawn for each question")
    temperature: float = Field(0.0, ge=0, le=2)
    max_new_tokens: int | None = Field(None, ge=1, le=32768, description="null: 16; 512 of reasons")
    seed: int = Field(0, ge=0, lt=2**31)
    dtype: DType = "float32"
    calibrate: Calibrate | None = settle_only(
        None, description="correct the mean by people's ratings of some samples (PPI++)"
    )

    @field_validator("rubric")
    @classmethod
    def _compiles(cls, rubric: str) -> str:
        return _checked(rubric, templates.check)

    @field_validator("criteria")
    @classmethod
    def _all_compile(cls, criteria: dict[str, str], given: ValidationInfo) -> dict[str, str]:
        check = templates.check_text if given.data.get("mode") == "checklist" else templates.check
        for name, text in criteria.items():
            _checked(text, check, f"{name}: ")
        return criteria

    @field_validator("scale")
    @classmethod
    def _rises(cls, scale: tuple[int, int]) -> tuple[int, int]:
        if not -1000 <= scale[0] < scale[1] <= 1000:
            raise _wrong("a scale goes from the worst grade up to the best, as [1, 5]")
        return scale

    @field_validator("labels")
    @classmethod
    def _apart(cls, labels: dict[str, float]) -> dict[str, float]:
        if len({label.casefold().strip() for label in labels}) < len(labels):
            raise _wrong("two labels are the same but for case")
        return labels

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if (self.model is None) == (not self.panel):
            raise _wrong("name the judge as `model`, or several as `panel`")
        if len(set(self.panel)) < len(self.panel):
            raise _wrong("a judge stands in the panel twice")
        if self.repeats > 1 and self.temperature == 0:
            raise _wrong("repeats above 1 need a temperature above 0: the same answer comes again")
        if self.mode == "label" and len(self.labels) < 2:
            raise _wrong("mode label needs at least two `labels`")
        if self.mode == "checklist" and not self.criteria:
            raise _wrong("mode checklist needs its questions as `criteria`")
        if self.mode != "pairwise" and self.against is not None:
            raise _wrong("`against` is for mode pairwise")
        self._check_ratings()
        return self

    def _check_ratings(self) -> None:
        """Raises where ratings are not of the scores that there are."""
        if self.calibrate is None:
            return
        if isinstance(self.calibrate.ratings, str):
            if self.criteria and self.mode != "checklist":
                raise _wrong(
                    'with criteria, give `calibrate.ratings` as {"<criterion>": "<field>"}'
                )
            return
        for name in self.calibrate.ratings:
            if name not in self.criteria or self.mode == "checklist":
                raise _wrong(f"calibrate.ratings names {name!r:.60}, which is no criterion")

    @property
    def judges(self) -> tuple[str, ...]:
        """Names of the models that judge."""
        return self.panel or (str(self.model),)

    @property
    def questions(self) -> dict[str, str]:
        """What each criterion looks at, by name; of a single one the name is empty."""
        if not self.criteria:
            return {"": templates.text_of(self.rubric, self.language)}
        return {
            name: text if self.mode == "checklist" else templates.text_of(text, self.language)
            for name, text in self.criteria.items()
        }

    @property
    def answers(self) -> Mapping[str, float]:
        """What each answer counts; of pairwise, for the response that stands first."""
        if self.mode == "score":
            low, high = self.scale
            return {str(grade): float(grade) for grade in range(low, high + 1)}
        if self.mode == "label":
            return self.labels
        if self.mode == "checklist":
            return dict(zip(YES_NO[self.language], (1.0, 0.0), strict=True))
        return dict(zip(PAIR[self.language], (1.0, 0.0, 0.5), strict=True))

    @property
    def reads_likelihoods(self) -> bool:
        """Whether likelihoods of the answers can be asked for: one question, one short answer.

        Where one answer begins another (1 and 10), what a likelihood is of would be unclear.
        """
        answers = list(self.answers)
        begins = any(one != other and other.startswith(one) for one in answers for other in answers)
        one_answer = self.repeats == 1 and not self.reasons
        return self.likelihoods and one_answer and not begins and len(answers) <= MOST_LABELS


def _checked(text: str, check: Callable[[str], str], before: str = "") -> str:
    try:
        return check(text)
    except InvalidRubric as error:
        raise _wrong(f"{before}{error}") from None


def _wrong(reason: str) -> PydanticCustomError:
    return PydanticCustomError("judge", "{reason}", {"reason": reason})
