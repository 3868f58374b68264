"""200 people at one annotation project: how long they wait for their next item."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np

from assay import Client
from benchmarks.comparing import Row, bound
from benchmarks.service import address, answers, prepared, process, until
from service.db.engine import connect
from tests.service.annotation.crowd import Crowd
from tests.service.annotation.people import evaluations_of

PEOPLE, VOTES, OVERLAP = 200, 6, 3
THOUGHT = 10.0  # seconds that a vote takes a person, on average: the fastest forms take less
WAIT = 0.2  # seconds, of 99 in 100


def rows(scale: float) -> Iterator[Row]:
    people = max(10, int(PEOPLE * scale))
    with prepared() as settings, process(settings, "service.serve.api"):
        url = address(settings)
        until(lambda: answers(f"{url}/readyz"))
        engine = connect(settings.url)
        made = evaluations_of(engine, people * VOTES // OVERLAP, systems=4)
        engine.dispose()
        for items in ("all", "most_informative"):
            with Client(url) as assay:
                project = assay.create_annotation_project(
                    items, made, "pairwise", overlap=OVERLAP, items=items
                )
                tokens = [assay.add_annotator(project.id, str(at)).token for at in range(people)]
                crowd = Crowd(url, THOUGHT)
                asyncio.run(crowd.work(tokens, VOTES))
                seconds = float(np.quantile(crowd.seconds, 0.99))
                votes = [one.item for one in assay.annotation_votes(project.id)]
            most = int(np.unique(votes, return_counts=True)[1].max())
            what = f"next item of {people} people at once, 99th percentile, items: {items}"
            said = f"{len(votes)} votes, {most} on an item at most (overlap {OVERLAP})"
            yield bound(what, seconds, WAIT, "s", said)
