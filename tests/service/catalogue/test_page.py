"""docs/metrics.md is made of the declarations, each of which says what the page needs."""

from __future__ import annotations

import pytest

from metrics import catalogue
from service.catalogue.page import page
from tests.checkout import ROOT


def test_the_page_is_what_the_declarations_say() -> None:
    written = (ROOT / "docs" / "metrics.md").read_text()
    assert written == page(), "python -m service.catalogue.page > docs/metrics.md"


@pytest.mark.parametrize("name", catalogue())
def test_every_metric_says_how_it_is_computed_and_where_it_misleads(name: str) -> None:
    metric = catalogue()[name]
    assert metric.formula
    assert not metric.formula.endswith(".")
    assert metric.avoid.endswith(".")
