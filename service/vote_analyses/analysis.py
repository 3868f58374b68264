"""An analysis, as it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from service.annotation.store import Project
from service.vote_analyses import best_worst, labels, pairwise, ratings
from service.vote_analyses.agreement import agreement
from service.vote_analyses.annotators import annotators
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.findings import Findings
from service.vote_analyses.judges import judges
from service.vote_analyses.schemas import AsideVotesOut, VoteAnalysisOut
from service.vote_analyses.store import Rows

LEVEL = 0.95


def analysis(
    project: Project,
    criterion: str | None,
    rows: Rows,
    exclude: Collection[str] = (),
) -> VoteAnalysisOut:
    """What the votes say of systems and people.

    criterion  of likert: by which ratings
    exclude    annotators whose votes are left out
    """
    ballots = Ballots.of(project, criterion, rows.without(exclude))
    found = _findings(ballots)
    aside = Counter(one.kind for one in ballots.checks)
    return VoteAnalysisOut(
        project=project.id,
        form=project.definition["form"],
        criterion=criterion,
        criteria=[one["name"] for one in project.definition["criteria"]],
        level=LEVEL,
        votes=len(ballots.votes),
        items=len(ballots.items),
        left_out=AsideVotesOut(
            gold=aside["gold"],
            control=aside["control"],
            repeat=aside["repeat"],
            excluded=len(rows.votes) - len(ballots.votes) - len(ballots.checks),
            annotators=sorted(exclude),
        ),
        scale=found.scale,
        agreement=agreement(ballots),
        annotators=annotators(ballots),
        judges=judges(ballots, rows.without(exclude)),
        systems=sorted(found.systems, key=lambda one: (one.rank or 0, one.system)),
        pairs=found.pairs,
        controlled=found.controlled,
        more_votes=found.more_votes,
        components=found.components,
        warnings=list(found.warnings),
    )


def _findings(ballots: Ballots) -> Findings:
    if ballots.form == "pairwise":
        return pairwise.findings(ballots)
    if ballots.form == "best_worst":
        return best_worst.findings(ballots)
    if ballots.form == "label":
        return labels.findings(ballots)
    return ratings.findings(ballots, "kept" if ballots.form == "edit" else "rating")
