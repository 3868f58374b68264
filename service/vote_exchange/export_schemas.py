"""What leaves annotation projects: datasets made of votes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.annotation.schemas import Annotators, Share
from service.datasets.schemas import DatasetOut
from service.http.fields import LONGEST_NAME, DatasetName, Name, Schema

HELD_OUT = "-held-out"  # behind the name of the dataset that is trained on


class AnnotationExportIn(Schema):
    """A dataset to be made of a project's votes: `preference` of any form but label, `sft` of
    edits."""

    kind: Literal["preference", "sft"]
    name: Annotated[DatasetName, Field(max_length=LONGEST_NAME - len(HELD_OUT))]
    held_out: Share = Field(
        0.1,
        description=f"share of the prompts whose records make a second dataset, NAME{HELD_OUT}: in "
        "every project the same ones, and by a greater share more",
    )
    ties: Literal["drop", "keep"] = Field(
        "drop", description="keep: a tie is two records to train on, one each way; none held out"
    )
    min_votes: Annotated[int, Field(ge=1, le=100)] = Field(1, description="on each pair")
    min_margin: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        0.0, description="of each pair: by how much the chosen output leads"
    )
    criterion: Name | None = Field(
        None, description="of likert: the ratings to go by; null: the mean over all"
    )
    annotators: Annotators = Field(
        "people", description="whose votes: people's, those of models that annotate, or all"
    )
    exclude_annotators: Annotated[list[Name], Field(max_length=1000)] = Field(
        default_factory=list, description="ids of annotators whose votes are left out"
    )

    model_config = {
        "json_schema_extra": {
            "examples": [{"kind": "preference", "name": "people-prefer", "held_out": 0.2}]
        }
    }


class AnnotationExportOut(BaseModel):
    """The datasets that were made, and of what. `held_out`: null where nothing was, and
    `held_out_reason` says why; `left_out`: why there is no record of some votes, and of how many
    pairs or edits; `excluded_votes` are votes."""

    object: str = "annotation_export"
    project: str
    kind: Literal["preference", "sft"]
    dataset: DatasetOut
    held_out: DatasetOut | None
    held_out_reason: str | None
    votes: int
    annotators: int
    left_out: dict[str, int]
