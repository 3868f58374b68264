"""What people together say of single items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean, pstdev

import numpy as np
from pydantic import BaseModel

from metrics.core.rows import Floats
from metrics.statistics.annotations import Annotations
from metrics.statistics.labels import LabelModel, dawid_skene
from service.annotation.answers import LETTERS, TIE
from service.annotation.store import Project
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.item_schemas import JudgedItemOut
from service.vote_analyses.store import Rows, Shown, Vote

SAID = {"pairwise": "choice", "label": "label", "best_worst": "best", "edit": "text"}


class LabelFit(BaseModel):
    """The label model of a project's votes: see `metrics.statistics.labels`. Without annotators
    where no output has the votes of two of them."""

    annotators: list[str] = []
    shares: list[float] = []
    confusion: list[list[list[float]]] = []

    def posterior(self, labels: Sequence[str], votes: Sequence[Sequence[Vote]]) -> Floats | None:
        """(N, K) how likely each item is of each label, by its votes; None without a model."""
        if not self.annotators:
            return None
        place = {id: at for at, id in enumerate(self.annotators)}
        # who came after the model was fitted says nothing until it is fitted again
        rows = [
            (at, place[one.annotator_id], labels.index(one.answer["label"]))
            for at, own in enumerate(votes)
            for one in own
            if one.annotator_id in place
        ]
        if not rows:
            return np.tile(np.array(self.shares), (len(votes), 1))
        item, annotator, value = np.array(rows, np.int64).T
        said = Annotations.of(
            *(item, annotator, value.astype(np.float64)),
            items=len(votes),
            annotators=len(place),
        )
        model = LabelModel(
            np.zeros((0, len(labels))),
            np.array(self.shares),
            np.array(self.confusion),
            0.0,
            0,
            True,
        )
        return model.posterior_of(said)


def label_fit(project: Project, rows: Rows) -> LabelFit:
    """The label model of the outputs of all systems together."""
    ballots = Ballots.of(project, None, rows)
    if not ballots.votes or np.bincount(ballots.item).max() < 2:
        return LabelFit()
    model = dawid_skene(ballots.annotations(ballots.value), len(ballots.labels))
    return LabelFit(
        annotators=list(ballots.annotators),
        shares=model.shares.tolist(),
        confusion=model.confusion.tolist(),
    )


def judged_items(
    project: Project,
    items: Sequence[Shown],
    votes: Mapping[str, Sequence[Vote]],
    fit: LabelFit | None,
) -> list[JudgedItemOut]:
    """The items with what their votes say, in their order.

    fit  of labels; None of other forms
    """
    own = [votes.get(one.id, []) for one in items]
    found = [_judged(project, item, cast) for item, cast in zip(items, own, strict=True)]
    labels = project.definition["labels"]
    posterior = None if fit is None else fit.posterior(labels, own)
    if posterior is not None:
        for one, likely in zip(found, posterior.tolist(), strict=True):
            if one.votes:
                one.posterior = dict(zip(labels, likely, strict=True))
                one.consensus = labels[int(np.argmax(likely))]
                one.confidence = max(likely)
    return found


def _judged(project: Project, item: Shown, votes: Sequence[Vote]) -> JudgedItemOut:
    found = JudgedItemOut(
        id=item.id,
        dataset=item.dataset_id,
        sample=item.sample,
        prompt=item.prompt,
        systems=item.systems,
        votes=len(votes),
    )
    if not votes:
        return found
    if project.form == "likert":
        return _rate(found, [one.answer["ratings"] for one in votes])
    said = [str(one.answer[SAID[project.form]]) for one in votes]
    found.disagreement = unlike(said)
    if project.form == "edit":
        found.texts = len(set(said))
        return found
    letters = list(LETTERS[: len(item.systems)])
    kinds = {"pairwise": [*letters, TIE], "label": project.definition["labels"]}
    found.shares = _shares(said, kinds.get(project.form, letters))
    worth = found.shares
    if project.form == "best_worst":
        found.worst = _shares([str(one.answer["worst"]) for one in votes], letters)
        worth = {one: found.shares[one] - found.worst[one] for one in letters}
    found.consensus = _first(worth)
    if found.consensus is not None and project.form != "label":
        found.confidence = found.shares[found.consensus]
    return found


def _rate(found: JudgedItemOut, ratings: Sequence[Mapping[str, float]]) -> JudgedItemOut:
    """By each criterion."""
    by = {name: [float(one[name]) for one in ratings] for name in ratings[0]}
    found.means = {name: fmean(values) for name, values in by.items()}
    found.deviations = {name: pstdev(values) for name, values in by.items()}
    found.disagreement = None if len(ratings) < 2 else fmean(map(_unlike, by.values()))
    return found


def unlike(said: Sequence[object]) -> float | None:
    """The share of pairs of people who said otherwise; None of one alone."""
    return _unlike(said) if len(said) > 1 else None


def _unlike(said: Sequence[object]) -> float:
    n = len(said)
    alike = sum(count * (count - 1) for count in Counter(said).values())
    return 1 - alike / (n * (n - 1))


def _shares(said: Sequence[str], kinds: Sequence[str]) -> dict[str, float]:
    counts = Counter(said)
    return {one: counts[one] / len(said) for one in kinds}


def _first(worth: Mapping[str, float]) -> str | None:
    """What has the most; None where several do."""
    order = sorted(worth, key=lambda one: -worth[one])
    if any(worth[a] == worth[b] for a, b in [*pairwise(order)][:1]):
        return None
    return order[0]
