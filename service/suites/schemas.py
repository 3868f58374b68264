"""Suites, as they are asked for and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from metrics.suites.declaration import Code, Suite, SuiteMetric
from service.http.fields import Name, PlainName, Schema, storable_object


class SuiteIn(Suite, Schema):
    """A suite of one's own: metrics by name, or with parameters, and what stands in for them."""

    name: PlainName

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "name": "our-news",
                    "about": "What the desk looks at.",
                    "metrics": [
                        "chrf",
                        {
                            "name": "bertscore",
                            "params": {"model": "bert-base-multilingual-cased"},
                            "by_language": {"en": {"model": "roberta-large"}},
                            "instead": [{"name": "rouge"}],
                            "why": "Other wordings count.",
                            "cannot_see": "Contradictions.",
                        },
                    ],
                }
            ]
        }
    }

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        return storable_object(value)


class SuiteOut(BaseModel):
    """A suite. `instead`: the first of them that can be measured stands in for the metric;
    `by_language`: parameters over `params` where the samples are in the language."""

    object: str = "suite"
    name: str
    about: str
    builtin: bool
    metrics: list[SuiteMetric]
    created_at: datetime | None  # of one's own


class SuitesOut(BaseModel):
    """Every suite, those that come with the service first."""

    object: str = "list"
    data: list[SuiteOut]


class DeletedSuiteOut(BaseModel):
    """What is no more."""

    object: str = "suite"
    name: str
    deleted: bool = True


class SuiteRequest(Schema):
    """A suite that an evaluation is asked for by."""

    name: Name
    language: Code | None = Field(
        default=None, description="of the answers, as ru; null: as the samples tell"
    )


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


SuiteNamed = Annotated[
    SuiteRequest, BeforeValidator(_named, json_schema_input_type=Name | SuiteRequest)
]


class LeftOutMetricOut(BaseModel):
    """A metric that is not measured as its suite has it; `instead`: what is in its place."""

    metric: str
    reason: str
    instead: str | None
