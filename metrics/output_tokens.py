"""Output tokens: how much the model wrote, in its own tokens.

Conventions
    As the server counts them, which is what it charges for: with reasoning models, what was thought
    is among them. Models that run here count what they generated, the end included. Steps and draws
    of a protocol add up. Tokens of different tokenizers are no common measure of length; `length`
    is. Several outputs of a sample are averaged; the value is the mean over samples. 0..∞, lower is
    better. Outputs whose tokens nobody told are missing.

Example
    >>> from metrics.core.details import Details
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("yes",), details=(Details(output_tokens=12),))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value
    12.0
"""

from __future__ import annotations

from metrics.core.details import Details
from metrics.core.metric import Params, Score, Source
from metrics.core.per_details import per_details


class OutputTokensParams(Params):
    """None."""


def output_tokens(details: Details) -> int | None:
    """Tokens; None where they are not known."""
    return details.output_tokens


METRIC = per_details(
    name="output_tokens",
    about="How many tokens the model wrote.",
    formula="mean number of tokens generated",
    avoid="Comparing lengths across tokenizers (take length).",
    params=OutputTokensParams,
    score=Score("output_tokens", higher_is_better=False, about="an output, on average"),
    source=Source(
        paper="Liang et al., 2022, arXiv:2211.09110 (efficiency beside accuracy)",
        reference="`usage.completion_tokens` of the chat-completions API",
    ),
    unknown="nobody told how many tokens the answer has",
    take=output_tokens,
)
