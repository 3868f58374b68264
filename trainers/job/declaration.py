"""What a trainer is: one frozen declaration, from which catalogue, validation and docs derive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from trainers.job.footprint import Footprint
from trainers.job.options import Options

if TYPE_CHECKING:
    from trainers.job.run import Run

Kind = Literal["sft", "preference", "labelled", "prompts", "eval", "code"]
Produces = Literal["language", "classifier"]

WITH_PROMPTS: tuple[Kind, ...] = ("prompts", "eval", "code")
PAIRS = (("prompt", "chosen"), ("prompt", "rejected"))  # sequences of a record with two answers

O = TypeVar("O", bound=Options)  # noqa: E741 (options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer(Generic[O]):
    """A method, declared.

    about             one sentence
    objective         what is minimised, as a formula
    kinds             of datasets that it trains on; the first is what the catalogue shows
    produces          a language model, or a classifier: how a checkpoint is loaded
    train             runs to the end, or until `run.stopping`; reports through `run` and nothing
                      else
    validates         whether it has a loss of held-out rows
    shards            whether several processes may share the weights out among them (FSDP)
    sequences         for every sequence that a record makes, the record's fields whose texts stand
                      in it; () where a record makes one of whatever it holds
    objective_series  series of what is maximised, where there is one: a rise is progress by the
                      training's own measure, and no evidence of anything else
    footprint         what it holds in memory
    """

    name: str
    about: str
    objective: str
    paper: str
    options: type[O]
    kinds: tuple[Kind, ...]
    produces: Produces
    train: Callable[[O, Run], None]
    validates: bool = False
    shards: bool = True
    sequences: tuple[tuple[str, ...], ...] = ()
    objective_series: tuple[str, ...] = ()
    footprint: Footprint[O] = field(default_factory=Footprint)

    @property
    def kind(self) -> Kind:
        """The kind of dataset that it is made for."""
        return self.kinds[0]


AnyTrainer = Trainer[Any]
