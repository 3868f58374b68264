"""Errors of metrics alone; those that models share with them stand in `inference.errors`."""

from inference.errors import InputError, ReportedError


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
        message = f"{metric} needs {need}, and {place} (id {sample_id!r}) has none"
        if need == "details":
            message = f"{metric} is of outputs that the service generates: name a `model` to do so"
        if need == "choices":
            message = (
                f"{metric} needs metadata `choices`, a list of texts, and `answer`, the place "
            )
            message += f"of the right one from 0 or its text; {place} (id {sample_id!r}) lacks them"
        if need == "contexts":
            message = f"{metric} needs metadata `contexts`, texts that were retrieved, best first; "
            message += f"{place} (id {sample_id!r}) lacks them"
        if need == "instructions":
            message = f"{metric} needs metadata `instruction_id_list` and `kwargs`, as IFEval has "
            message += f"them; {place} (id {sample_id!r}) lacks them"
        if need == "language":
            message = f"{metric} needs metadata `language`, an ISO 639 code as `ru`; {place} (id "
            message += f"{sample_id!r}) has none"
        fields = dict.fromkeys(("choices", "contexts", "instructions", "language"), "metadata")
        super().__init__(message, f"{place}.{fields.get(need, need)}")
        self.code = f"missing_{need}"
        self.metric = metric
        self.need = need
        self.index = index
        self.sample_id = sample_id


class NotMeasured(InputError):
    """The metric's values come with a file; no machine can measure them."""
