"""Answers on annotation projects, as frozen objects."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from assay.models import Answer, Dataset, Json


class System(Answer):
    """A system that is judged, by its evaluation; `dataset` is an id. Systems of imported votes
    have neither."""

    system: str
    evaluation: str | None
    dataset: str | None


class AnnotationProgress(Answer):
    """How far a project is. `wanted`: votes, over all items; `held`: being judged now."""

    items: int
    wanted: int
    votes: int
    held: int
    annotators: int


class AnnotationProject(Answer):
    """What people judge. `left_out`: why there is no item of some outputs, and of how many."""

    id: str
    name: str
    form: str
    status: str
    definition: Json
    systems: list[System]
    gold: int
    controls: int
    left_out: dict[str, int]
    seed: int
    progress: AnnotationProgress
    instructions: str
    completion_code: str
    created_at: datetime | None = None
    closed_at: datetime | None = None


class DeletedAnnotationProject(Answer):
    """What is gone, with its items and votes. `published`: evaluations that keep the scores which
    were made of the votes."""

    id: str
    deleted: bool
    published: list[str] = Field(default_factory=list)


class NewAnnotator(Answer):
    """An annotator with the token, which is shown this once, and the link that has it."""

    id: str
    name: str
    token: str
    url: str
    expires_at: datetime


class Share(Answer):
    """How many there were, how many agreed, and the share; None where there were none."""

    n: int
    agreed: int
    share: float | None


class ExportedDataset(Answer):
    """A version of a dataset that a project's votes were exported to."""

    id: str
    name: str
    version: int


class Annotator(Answer):
    """A person's work, or a model's (`kind`). `gold`: answers as expected, `control`: ties among
    equal texts, `repeats`: the same answer as the first time; `seconds`: the median of an item;
    `datasets`: versions that hold votes of theirs. A model's status is judging, done or failed,
    with the `error`."""

    id: str
    kind: str
    name: str
    hash: str
    model: str | None
    status: str
    votes: int
    skips: int
    gold: Share
    control: Share
    repeats: Share
    seconds: float | None
    datasets: list[ExportedDataset]
    skip_reasons: dict[str, int]
    error: str | None
    created_at: datetime
    expires_at: datetime | None


class DeletedAnnotator(Answer):
    """Whose link is ended. `votes`: how many votes were deleted with the person; `datasets`:
    versions that still hold votes of theirs."""

    id: str
    deleted: bool
    votes: int
    datasets: list[ExportedDataset]


class Vote(Answer):
    """A vote. `answer` is in the order of `systems` (`a` is the first), whatever was seen where.
    `imported`: it was cast elsewhere. Texts, and what is `expected`, are there if asked for."""

    id: str
    item: str
    kind: str
    dataset: str | None
    sample: str | None
    systems: list[str]
    annotator: str
    annotator_kind: str
    answer: Json
    shown: list[int]
    agrees: bool | None
    comment: str | None
    seconds: float | None
    imported: bool
    created_at: datetime
    undone_at: datetime | None
    prompt: str | None
    outputs: list[str] | None
    expected: Json | None


class Skip(Answer):
    """An item that an annotator gave back."""

    id: str
    item: str
    dataset: str | None
    sample: str | None
    systems: list[str]
    annotator: str
    reason: str | None
    created_at: datetime


class VoteImport(Answer):
    """Votes that were added to a project. `annotators`: who was not there before; `left_out`: why
    other votes of the file were not, and how many; `columns`: what the file's were taken for."""

    project: str
    rows: int
    votes: int
    annotators: int
    left_out: dict[str, int]
    columns: dict[str, str]


class JudgedItem(Answer):
    """What people together say of an item: `consensus` with `confidence`, and the share of pairs of
    people who said otherwise, `disagreement`. Outputs are called `a`, `b`, … in the order of
    `systems`. `posterior`: of labels, by Dawid and Skene's model; None: not of this form, or too
    few votes."""

    id: str
    dataset: str | None
    sample: str | None
    prompt: str | None
    systems: list[str]
    votes: int
    consensus: str | None
    confidence: float | None
    disagreement: float | None
    shares: dict[str, float] | None
    worst: dict[str, float] | None
    posterior: dict[str, float] | None
    means: dict[str, float] | None
    deviations: dict[str, float] | None
    texts: int | None


class Criterion(Answer):
    """What outputs are judged by; `scale`: the least and the greatest rating."""

    name: str
    scale: tuple[int, int] | None
    description: str | None
    anchors: dict[str, str]


class Item(Answer):
    """What is to be judged: of pairwise `a` and `b`, of best_worst `outputs`, else `output`."""

    id: str
    form: str
    prompt: str | None
    a: str | None
    b: str | None
    output: str | None
    outputs: list[str] | None
    criteria: list[Criterion]
    labels: list[str]
    ties: bool
    lease_until: datetime


class Next(Answer):
    """The item to judge; None: there is none now. `previous`: the answer that was taken back."""

    item: Item | None
    done: int
    remaining: int
    completion_code: str | None
    previous: Json | None


class Lease(Answer):
    """Until when the item is kept."""

    item: str
    lease_until: datetime


class Voted(Answer):
    """A vote that is stored, now or before."""

    item: str
    done: int
    remaining: int


class AnnotationTask(Answer):
    """What an annotator is asked to do, and how far that is."""

    name: str
    form: str
    language: str
    instructions: str
    criteria: list[Criterion]
    labels: list[str]
    ties: bool
    closed: bool
    done: int
    remaining: int
    completion_code: str | None
    expires_at: datetime


class AnnotationExport(Answer):
    """Datasets made of votes. `held_out`: None where nothing was, and `held_out_reason` says why;
    `left_out`: why there is no record of some votes, and of how many pairs or edits."""

    project: str
    kind: str
    dataset: Dataset
    held_out: Dataset | None
    held_out_reason: str | None
    votes: int
    annotators: int
    left_out: dict[str, int]


class Spread(Answer):
    """How much single votes vary, assumed or by a pilot of `votes`, and which shares of that
    variance lie between items and annotators; `of`: the criterion or label that varies most."""

    source: str
    deviation: float
    of_items: float
    of_annotators: float
    of: str | None
    votes: int
    why: str | None


class Study(Answer):
    """How many people and items an interval of half-width `wanted` takes. `half_width`: the one to
    expect; `items_each`: items that each system is in; `text`: the plan, in Markdown."""

    form: str
    measure: str
    level: float
    wanted: float
    half_width: float
    systems: int
    items: int
    items_each: int
    overlap: int
    votes: int
    annotators: int
    votes_each: int
    gold: int
    design_effect: float
    spread: Spread
    text: str
