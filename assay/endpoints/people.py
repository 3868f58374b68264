"""People's votes as scores of evaluations."""

from __future__ import annotations

from assay.endpoints.annotation import ROOT
from assay.exchange import Script, ask, get, post, waited
from assay.people_models import HeldToPeople, PublishedScores

COMPUTED = 120.0  # seconds that the service waits for a worker


def publish_scores(project: str, *, wait: float = 0.0) -> Script[PublishedScores]:
    """Make the votes of an annotation project scores of its systems' evaluations, in place of
    those by earlier votes.

    Args:
        wait: seconds to wait for it; default: two minutes.
    """
    request = post(ROOT, project, "publish", patience=COMPUTED)
    return ask(waited(request, wait), PublishedScores)


def judges(project: str, *, slice: str | None = None) -> Script[HeldToPeople]:
    """How far judges and other metrics agree with an annotation project's votes.

    Args:
        slice: as lang=ru, of the samples' metadata.
    """
    return ask(get(ROOT, project, "judges", query={"slice": slice}), HeldToPeople)
