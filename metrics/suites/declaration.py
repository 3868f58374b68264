"""What a suite may say, as pydantic models: metrics, each with a reason, and what stands in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

MOST_METRICS = 50
LONGEST_SENTENCE = 1000  # characters

Code = Annotated[str, Field(pattern="^[a-z]{2,3}$")]  # ISO 639
Named = Annotated[str, Field(min_length=1, max_length=200)]
Sentence = Annotated[str, Field(max_length=LONGEST_SENTENCE)]
Given = dict[str, Any]  # parameters of a metric


class _Base(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Option(_Base):
    """A metric with parameters."""

    name: Named
    params: Given = Field(default_factory=dict)
    languages: tuple[Code, ...] = Field(
        (), max_length=100, description="that it holds for; none: all, several at once included"
    )
    why: Sentence = ""
    cannot_see: Sentence = ""


class SuiteMetric(Option):
    """A metric of a suite, the reason why it is there, and what is measured where it cannot be."""

    by_language: dict[Code, Given] = Field(
        default_factory=dict, max_length=100, description="parameters over `params`, by language"
    )
    instead: tuple[Option, ...] = Field(
        (), max_length=5, description="the first that can be measured stands in for it"
    )

    def options(self, language: str | None) -> Iterator[Option]:
        """The metric as the language has it, then what stands in for it."""
        params = self.params | self.by_language.get(language or "", {})
        said = {"why": self.why, "cannot_see": self.cannot_see}
        yield Option(name=self.name, params=params, languages=self.languages, **said)
        for option in self.instead:
            # what is said of a metric holds for it with other parameters, and for no other metric
            silent = option.name == self.name and not (option.why or option.cannot_see)
            yield option.model_copy(update=said) if silent else option


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Suite(_Base):
    """What a task is measured by."""

    name: Named
    about: Sentence = ""
    metrics: tuple[
        Annotated[SuiteMetric, BeforeValidator(_named, json_schema_input_type=Named | SuiteMetric)],
        ...,
    ] = Field(min_length=1, max_length=MOST_METRICS)

    @field_validator("metrics")
    @classmethod
    def _each_once(cls, metrics: tuple[SuiteMetric, ...]) -> tuple[SuiteMetric, ...]:
        names = [entry.name for entry in metrics]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise PydanticCustomError("twice", "{name} is there twice", {"name": twice})
        return metrics
