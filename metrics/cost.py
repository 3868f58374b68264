"""Cost: what the model's answers cost, by the prices it was registered with.

Conventions
    Input tokens at the input price and output tokens at the output price, per million; as the
    server counts tokens. Steps and draws of a protocol add up. A reply that was kept from an
    earlier evaluation counts what it cost then: the value says what making these outputs costs, not
    what was paid this time (`usage` of the evaluation does). Refusals are charged for, and count.
    Several outputs of a sample are averaged; the value is the mean over samples. 0..∞, lower is
    better, in the currency of the prices. Outputs of a model without prices are missing.

Example
    >>> from metrics.core.details import Details
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("yes",), details=(Details(cost=0.002),))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value
    0.002
"""

from __future__ import annotations

from metrics.core.details import Details
from metrics.core.metric import Params, Score, Source
from metrics.core.per_details import per_details


class CostParams(Params):
    """None."""


def cost(details: Details) -> float | None:
    """In the currency of the prices; None where it is not known."""
    return details.cost


METRIC = per_details(
    name="cost",
    about="What the model's answers cost.",
    formula="tokens in · price in + tokens out · price out, per million",
    avoid="Models of your own machines: they have no price.",
    params=CostParams,
    score=Score("cost", higher_is_better=False, about="an output, on average"),
    source=Source(
        paper="Liang et al., 2022, arXiv:2211.09110 (efficiency beside accuracy)",
        reference="prices of the registered model, tokens of the chat-completions API",
    ),
    unknown="no cost is known: give the model its `price`",
    take=cost,
)
