"""What a trainer is: one frozen declaration, from which catalogue, validation and docs derive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from trainers.job.options import Options

if TYPE_CHECKING:
    from trainers.job.run import Run

Kind = Literal["sft", "preference", "prompts"]
Produces = Literal["language", "classifier"]


O = TypeVar("O", bound=Options)  # noqa: E741 (options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer(Generic[O]):
    """A method, declared.

    train   runs to the end, or until `run.stopping`; reports through `run` and nothing else
    shards  whether several processes may share the weights out among them (FSDP)
    """

    name: str
    about: str  # one sentence
    objective: str  # what is minimised, as a formula
    paper: str
    options: type[O]
    kind: Kind  # of dataset
    produces: Produces
    train: Callable[[O, Run], None]
    shards: bool = True


AnyTrainer = Trainer[Any]
