"""Votes from elsewhere on their items: whose they are, each counted once, their answers checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.annotation.answers import Answer, of_vote
from service.annotation.schemas import ExpectedIn
from service.errors import ApiError
from service.vote_exchange.foreign_votes import ForeignVote, Place, RowErrors


@dataclass(slots=True)
class Cast:
    """A vote on an item.

    item     its key
    order    places in the item of the row's outputs
    answer   in the order of the row; of several rows, their ratings together
    ratings  where each of these stands, by criterion
    """

    item: str
    person: str
    kind: str
    order: Sequence[int]
    vote: ForeignVote
    answer: Answer
    ratings: dict[str, Place] = field(default_factory=dict)

    @property
    def shown(self) -> list[int]:
        """Places in the item, in the order in which its outputs were seen."""
        return [self.order[place] for place in self.vote.shown] or [*range(len(self.order))]


@dataclass(frozen=True, slots=True)
class Answered:
    """A cast vote with its answer in the order of the item."""

    cast: Cast
    answer: Answer


class Casts:
    """Votes as they are gathered; what is left out is counted.

    unnamed  what those are called who are not named, before their rows: each is somebody else
             (all of them would else be one person)
    """

    def __init__(self, left_out: Counter[str], unnamed: str = "unnamed") -> None:
        self._left_out = left_out
        self._unnamed = unnamed
        self._found: dict[tuple[str, str, bool], Cast] = {}
        self._parts: Counter[tuple[str, str]] = Counter()  # of unnamed people's ratings
        self._people: dict[tuple[str, int], str] = {}

    def add(self, item: str, kind: str, order: Sequence[int], vote: ForeignVote) -> None:
        """A vote on an item; of one person on the same item the first one counts."""
        person = vote.annotator or self._nobody(item, vote)
        key = (item, person, kind == "repeat")
        places = dict.fromkeys(vote.answer.get("ratings", ()), vote.place)
        earlier = self._found.get(key)
        if earlier is None:
            answer = dict(vote.answer)
            self._found[key] = Cast(item, person, kind, order, vote, answer, places)
        elif vote.partial and not places.keys() & earlier.ratings.keys():
            earlier.answer["ratings"] = earlier.answer["ratings"] | vote.answer["ratings"]
            earlier.ratings |= places
        else:
            self._left_out["voted_again"] += 1

    def criteria(self) -> dict[str, tuple[int, int]]:
        """The least and the greatest rating by each criterion, in the file's order."""
        found: dict[str, tuple[int, int]] = {}
        for cast in self._found.values():
            for name, value in cast.answer["ratings"].items():
                low, high = found.get(name, (value, value))
                found[name] = (min(low, value), max(high, value))
        return found

    def labels(self) -> list[str]:
        """All labels that were given, sorted."""
        return sorted({cast.answer["label"] for cast in self._found.values()})

    def checked(self, form: str, definition: Mapping[str, Any]) -> Iterator[Answered]:
        """The votes with their answers, as the definition has them. Raises 422 for those that it
        has not, by row and column; ratings by some of the criteria alone are left out."""
        errors, criteria = RowErrors(), {one["name"] for one in definition["criteria"]}
        for cast in self._found.values():
            if form == "likert" and (not cast.ratings or cast.ratings.keys() < criteria):
                self._left_out["incomplete_ratings"] += 1
                continue
            try:
                given = ExpectedIn(**cast.answer)
                yield Answered(cast, of_vote(form, definition, given, cast.order))
            except ApiError as error:
                self._refuse(errors, cast, error)
                if errors.full:
                    break
        errors.check()

    def _nobody(self, item: str, vote: ForeignVote) -> str:
        name = f"{self._unnamed}, row {vote.place.index + 1}"
        if not vote.partial:
            return name
        (criterion,) = [*vote.answer["ratings"], ""][:1]
        self._parts[item, criterion] += 1  # the third to rate by it is the third of the others, too
        return self._people.setdefault((item, self._parts[item, criterion]), name)

    def _refuse(self, errors: RowErrors, cast: Cast, error: ApiError) -> None:
        field = error.param or "answer"
        place = cast.ratings.get(field.removeprefix("ratings."), cast.vote.place)
        column = place.column(cast.vote.prefix + field)
        errors.add(place, column, error.message, error.code)
