"""What can be asked of the service, one module a resource.

Each function is a method of both clients, under the same name: `Client.evaluate`,
`AsyncClient.evaluate`. It says what is sent and how the answer is read; the clients send and read.
"""

from assay.endpoints import (
    annotating,
    annotation,
    anything,
    archives,
    arenas,
    boards,
    calibrations,
    catalogue,
    datasets,
    evaluations,
    gates,
    imports,
    people,
    registered,
    rewards,
    scoring,
    suites,
    training,
    vote_imports,
)

__all__ = [
    "annotating",
    "annotation",
    "anything",
    "archives",
    "arenas",
    "boards",
    "calibrations",
    "catalogue",
    "datasets",
    "evaluations",
    "gates",
    "imports",
    "people",
    "registered",
    "rewards",
    "scoring",
    "suites",
    "training",
    "vote_imports",
]
