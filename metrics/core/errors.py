"""Errors of metrics alone; those that models share with them stand in `inference.errors`."""

from collections.abc import Mapping

from inference.errors import InputError, ReportedError
from inference.sentences import Sentence

NEEDS = "{metric} needs {need}, and {place} (id {id!r}) has none"
LACKS: Mapping[str, str] = {
    "details": "{metric} is of outputs that the service generates: name a `model` to do so",
    "choices": "{metric} needs metadata `choices`, a list of texts, and `answer`, the place of the "
    "right one from 0 or its text; {place} (id {id!r}) lacks them",
    "contexts": "{metric} needs metadata `contexts`, texts that were retrieved, best first; "
    "{place} (id {id!r}) lacks them",
    "instructions": "{metric} needs metadata `instruction_id_list` and `kwargs`, as IFEval has "
    "them; {place} (id {id!r}) lacks them",
    "language": "{metric} needs metadata `language`, an ISO 639 code as `ru`; {place} (id {id!r}) "
    "has none",
}


class UnknownMetric(InputError):
    """No metric has this name."""

    code = "unknown_metric"


class MetricError(ReportedError):
    """A metric of an installed distribution cannot be used; the message names the distribution."""

    code = "invalid_metric"


class TooFewSamples(ReportedError):
    """A set-level metric has too little to say anything."""

    code = "too_few_samples"


class TooManySamples(ReportedError):
    """A set-level metric compares every two outputs, and there are too many."""

    code = "too_many_samples"


class MissingInput(InputError):
    """A sample lacks what a metric needs; `code` says what, as `missing_references`.

    metric     the metric's name
    need       what the sample lacks, one of `metrics.core.metric.Reads`
    index      the sample's place, from 0
    sample_id  the sample's id
    """

    def __init__(self, metric: str, need: str, index: int, sample_id: str, where: str) -> None:
        place = f"{where}[{index}]"
        form = LACKS.get(need, NEEDS)
        message = Sentence(form, metric=metric, need=need, place=place, id=sample_id)
        fields = dict.fromkeys(("choices", "contexts", "instructions", "language"), "metadata")
        super().__init__(message, f"{place}.{fields.get(need, need)}")
        self.code = f"missing_{need}"
        self.metric = metric
        self.need = need
        self.index = index
        self.sample_id = sample_id


class NotMeasured(InputError):
    """The metric's values come with a file; no machine can measure them."""
