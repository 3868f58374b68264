"""Rewards are metrics: what a completion earns is a metric's per-sample value, or a weighted sum.

    R(x, y) = Σ_i weight_i · value_i(x, y)

value_i is what an evaluation would report for that sample alone (BLEU in its sentence form, pass@1
as 0 or 1, a reward model's logit). A sample is the record's prompt, the completion as its only
output, and the record's hidden columns: references, tests, metadata. Parameters that depend on the
data are settled once, on the whole dataset, so that a reward means the same at every step.

A completion that the metric cannot measure, or whose value is not a finite number, ends the
training with the sample shown: an abstention would silently move the baseline of all the others.
With `unmeasured` it earns that number instead, and `reward/<name>/unmeasured` says how many do. A
metric that raises ends the training in any case.

What models and servers behind URLs answer is kept in the job's ledger, and a resumed job asks for
none of it again; a cancelled one waits for none. `usage/…` says what it took. Where the budget
would not hold another batch, the job pauses after the step; where it does not hold this one,
training ends at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from inference.charged import Charged
from inference.errors import Cancelled, InputError
from inference.protocol import Models
from inference.remote.errors import AddressRefused, EndpointError
from metrics.core.errors import MissingInput
from metrics.core.evidence import FLAG, Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, Sample
from metrics.core.rows import Floats
from metrics.core.run import prepare
from trainers.job.errors import TrainingError
from trainers.job.ledger import Ledger, Spent
from trainers.job.options import Reward, RewardedOptions
from trainers.job.run import Run
from trainers.learning.components import Component, component_of

CONSTANT = 10  # batches in a row without a difference, after which there is a warning
PATIENCE = 3.0  # seconds that a cancelled job waits for a reward
SHOWN = 500  # characters of a prompt or completion in an error
SAMPLED = 2000  # and of a completion in an event

Record = Mapping[str, Any]
Tell = Callable[..., None]  # name, step, **data: `Run.event`


@dataclass(frozen=True, slots=True)
class Earned:
    """Rewards of a batch: `total` (N,) is the weighted sum of the components' values (N,).

    unmeasured  share of completions without a value, of the components where they earn a number
    usage       what URLs took so far, in all of the job
    """

    total: Floats
    components: Mapping[str, Floats]
    unmeasured: Mapping[str, float]
    usage: Mapping[str, float] = field(default_factory=dict)

    @property
    def series(self) -> dict[str, float]:
        """Each component's mean, unweighted, as `reward/<name>`."""
        means = {f"reward/{name}": float(each.mean()) for name, each in self.components.items()}
        means |= {f"reward/{name}/unmeasured": at for name, at in self.unmeasured.items()}
        return means | {f"usage/{name}": value for name, value in self.usage.items()}


class Rewards:
    """What completions earn. Raises InputError, naming the option, for what cannot be a reward.

    Loads no model until something is measured.
    """

    def __init__(
        self,
        rewards: Sequence[Reward],
        models: Models,
        roots: Sequence[Path] = (),
        tell: Tell | None = None,
        sampled: int = 0,
        sample_steps: int = 1,
        ledger: Ledger | None = None,
        pause: Callable[[TrainingError], None] | None = None,
        stopping: Callable[[], str | None] = lambda: None,
    ) -> None:
        if not rewards:
            raise InputError("there are no rewards", "options.rewards")
        self._components: list[Component] = []
        for index, reward in enumerate(rewards):
            taken = [component.name for component in self._components]
            self._components.append(component_of(reward, f"options.rewards[{index}]", roots, taken))
        self._ledger = ledger
        self._pause = pause
        self._stopping = stopping
        self._asked = 0.0  # when the reward at work was, by the monotonic clock
        self._models = Charged(models, lambda: ledger.account) if ledger is not None else models
        self._tell = tell
        self._sampled, self._sample_steps = sampled, sample_steps
        self._shown: int | None = None  # the step of the last samples
        self._settled: dict[str, Mapping[str, str]] = {}
        self._constant = 0

    @classmethod
    def of(cls, options: RewardedOptions, run: Run) -> Rewards:
        """A job's rewards, prepared for its records."""
        told = (run.event, options.sampled, options.sample_steps)
        paying = (run.ledger(options.budget), run.pause, lambda: run.stopping)
        rewards = cls(options.rewards, run.models, run.spec.metric_roots, *told, *paying)
        rewards.prepare(run.records)
        return rewards

    @property
    def names(self) -> tuple[str, ...]:
        """The components', as series have them after `reward/`."""
        return tuple(component.name for component in self._components)

    def prepare(self, records: Sequence[Record]) -> None:
        """Settles what depends on the dataset, once. Raises InputError for a record that lacks what
        a metric needs, naming its row (from 0), and for a model that cannot be found.
        """
        samples = [Sample.of(record, [""], str(index)) for index, record in enumerate(records)]
        for at, component in enumerate(self._components):
            try:
                metric = prepare(component.metric, samples)
            except InputError as error:
                raise _of_the_records(error, component) from None
            for name in metric.models:
                try:
                    self._models.identity(name)
                except InputError as error:
                    raise InputError(error.message, f"{component.option}.params.model") from None
            self._components[at] = replace(component, metric=metric)
            self._warn_of_direction(component)

    def __call__(
        self, records: Sequence[Record], completions: Sequence[str], step: int = 0
    ) -> Earned:
        """What each completion earns as an answer to its record's prompt; groups repeat records.

        Raises TrainingError("reward_failed") with the sample.
        """
        samples = [
            Sample.of(record, [completion], str(index))
            for index, (record, completion) in enumerate(zip(records, completions, strict=True))
        ]
        before = self._spent()
        values = {
            component.name: self._values(component, samples) for component in self._components
        }
        total = np.zeros(len(samples))
        unmeasured = {}
        for component in self._components:
            own = values[component.name]
            if component.unmeasured is not None:
                unmeasured[component.name] = float(np.isnan(own).mean())
                own[np.isnan(own)] = component.unmeasured
            total += component.weight * own
        self._watch(records, total, step)
        earned = Earned(total, values, unmeasured, self._usage(before))
        self._show(samples, earned, step)
        return earned

    def _values(self, component: Component, samples: Sequence[Sample]) -> Floats:
        """(N,) finite; NaN where there is no value and `unmeasured` says what that earns."""
        try:
            return self._measured(component, samples)
        except _Unmeasured as error:
            raise _failed(component, samples[error.index], error.why) from None
        except (TrainingError, Cancelled):
            raise
        except (EndpointError, AddressRefused) as error:  # whichever sample it is
            raise TrainingError(error.code, error.message, component.option) from error
        except Exception as error:  # whatever a metric raises: a batch says nothing, a sample does
            sample = samples[0]
            for candidate in samples if len(samples) > 1 else ():
                try:
                    alone = items_of([candidate])[0]
                    measure(component.metric, alone, self._models, progress=self._heed)
                except Cancelled:
                    raise
                except Exception:  # noqa: BLE001 (the culprit, whatever it raises)
                    sample = candidate
                    break
            raise _failed(component, sample, f"{type(error).__name__}: {error}") from error

    def _measured(self, component: Component, samples: Sequence[Sample]) -> Floats:
        metric = component.metric
        items, unit = items_of(samples)
        self._asked = time.monotonic()
        evidence = measure(metric, items, self._models, progress=self._heed)
        if self._ledger is not None and self._ledger.exhausted:
            raise self._over(f"the budget does not hold the reward {component.name} of this step")
        missing = _missing(metric, evidence)
        if missing and component.unmeasured is None:
            raise _Unmeasured(*next(iter(missing.items())))
        settled = metric.settle(evidence, unit)
        first = self._settled.setdefault(component.name, settled.signature)
        if settled.signature != first:
            why = f"it depends on the other samples of its batch ({', '.join(settled.signature)})"
            raise _Unmeasured(0, why)
        values = np.array(metric.per_sample(settled.rows)[:, component.column], np.float64)
        for index in np.flatnonzero(~np.isfinite(values)).tolist():
            if component.unmeasured is None:
                raise _Unmeasured(index, f"the value is {values[index]}")
        values[[*missing, *np.flatnonzero(~np.isfinite(values))]] = np.nan
        return values

    def _heed(self, _: int) -> None:
        """Called between batches, and every second while a server takes long. Raises Cancelled
        where that is long enough: a step that ends soon leaves a checkpoint."""
        if self._stopping() == "cancel" and time.monotonic() - self._asked > PATIENCE:
            raise Cancelled("the job is cancelled: nobody waits for its rewards")

    def _spent(self) -> Spent:
        """What URLs took so far; nothing where none was called."""
        return self._ledger.spent() if self._ledger is not None else Spent()

    def _usage(self, before: Spent) -> dict[str, float]:
        """As series; has the job pause where the budget would not hold as much again."""
        spent = self._spent()
        if self._ledger is None or spent == Spent():
            return {}
        if self._pause is not None and not self._ledger.lasts(spent.less(before)):
            self._pause(self._over("what is left of the budget holds no other step's rewards"))
        return {name: float(value) for name, value in asdict(spent).items()}

    def _over(self, why: str) -> TrainingError:
        told = self._ledger.told() if self._ledger is not None else ""
        return TrainingError("budget_spent", f"{why}: {told}", "options.budget")

    def _warn_of_direction(self, component: Component) -> None:
        score = component.metric.scores[component.column]
        if component.weight > 0 and not score.higher_is_better and self._tell is not None:
            message = f"of {score.name} less is better, and its weight is positive: more is learned"
            self._tell("reward_direction", message=message, option=component.option)

    def _watch(self, records: Sequence[Record], total: Floats, step: int) -> None:
        """Tells, once in a row of batches, that no two completions of a prompt differ in reward."""
        groups: dict[int, list[float]] = {}
        for record, value in zip(records, total.tolist(), strict=True):
            groups.setdefault(id(record), []).append(value)
        if all(len(group) == 1 for group in groups.values()):
            groups = {0: total.tolist()}
        varies = any(max(group) - min(group) > 1e-12 for group in groups.values())
        self._constant = 0 if varies else self._constant + 1
        if self._constant == CONSTANT and self._tell is not None:
            message = (
                f"in the last {CONSTANT} batches all completions of a prompt earned the same: "
                "there is nothing to learn from"
            )
            self._tell("constant_reward", step, message=message, reward=float(total.mean()))

    def _show(self, samples: Sequence[Sample], earned: Earned, step: int) -> None:
        """Tells a few completions, from all over the batch, with what they earned."""
        due = self._shown is None or step - self._shown >= self._sample_steps
        if self._tell is None or not self._sampled or not due:
            return
        self._shown = step
        count = min(self._sampled, len(samples))
        places = [index * len(samples) // count for index in range(count)]
        shown = [
            {
                "prompt": _cut(samples[at].prompt or ""),
                "completion": _cut(samples[at].outputs[0], SAMPLED),
                "reward": float(earned.total[at]),
                "rewards": {name: float(each[at]) for name, each in earned.components.items()},
            }
            for at in places
        ]
        self._tell("completions", step, samples=shown)


class _Unmeasured(Exception):
    """The sample at `index` has no value; `why` is a sentence."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index
        self.why = why


def _missing(metric: BoundMetric, evidence: Evidence) -> dict[int, str]:
    """Why an item could not be measured, by its index."""
    codes = enumerate(evidence[FLAG].tolist() if FLAG in evidence else ())
    flags = {index: metric.flags[code] for index, code in codes if code}
    return {index: flag.message for index, flag in flags.items() if flag.missing}


def _of_the_records(error: InputError, component: Component) -> InputError:
    """What `prepare` says of the samples, said of the records, or of the reward's option."""
    if isinstance(error, MissingInput):
        message = (
            f"the reward {component.name}: {error.metric} needs {error.need}, "
            f"and row {error.index} has none"
        )
        return InputError(message, f"records[{error.index}].{error.need}")
    option = component.option
    return InputError(error.message, f"{option}.{error.field}" if error.field else option)


def _failed(component: Component, sample: Sample, why: str) -> TrainingError:
    message = (
        f"the reward {component.name} of a completion is not a finite number: {why}. "
        f"Prompt: {_short(sample.prompt or '')}. Completion: {_short(sample.outputs[0])}."
    )
    return TrainingError("reward_failed", message, f"{component.option}.metric")


def _short(text: str) -> str:
    return repr(_cut(text))


def _cut(text: str, most: int = SHOWN) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
