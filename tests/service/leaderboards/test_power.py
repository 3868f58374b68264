"""Power analyses of what cannot tell: no variance, one evaluation twice, a field of nulls."""

from __future__ import annotations

from typing import Any

import pytest

from assay import AssayError, Client
from tests.known import known
from tests.service.scored import scored


@pytest.fixture(scope="module")
def alike(assay: Client) -> list[str]:
    """Two systems that answer every sample right."""
    samples: list[dict[str, Any]] = [
        {"id": str(at), "output": "да", "references": ["да"], "metadata": {"page": None}}
        for at in range(5)
    ]
    asked: dict[str, Any] = {"dataset": "все верно", "samples": samples, "metrics": ["exact_match"]}
    return [scored(assay, system=system, **asked).id for system in ("а", "б")]


def test_without_variance_nothing_is_known(assay: Client, alike: list[str]) -> None:
    found = assay.power(alike[0], "exact_match", alike[1], effect=0.1)
    for design in (known(found.paired), found.unpaired):
        assert (design.deviation, design.detectable, design.samples) == (0.0, None, None)
    assert "does not vary" in found.notes[0]


def test_samples_without_end_are_told(assay: Client) -> None:
    samples: list[dict[str, Any]] = [
        {"id": str(at), "output": "да" if at % 2 else "нет", "references": ["да"]}
        for at in range(6)
    ]
    asked: dict[str, Any] = {"dataset": "половина", "samples": samples, "metrics": ["exact_match"]}
    made = scored(assay, system="а", **asked).id
    found = assay.power(made, "exact_match", effect=1e-9)
    assert found.unpaired.samples == 10**12
    assert "stops at 10^12" in found.notes[-1]
    assert "stops" not in assay.power(made, "exact_match", effect=1e-3).notes[-1]


def test_an_evaluation_is_not_paired_with_itself(assay: Client, alike: list[str]) -> None:
    with pytest.raises(AssayError, match="name two that differ") as refused:
        assay.power(alike[0], "exact_match", alike[0])
    assert refused.value.param == "evaluations[1]"


def test_a_field_that_is_null_everywhere(assay: Client, alike: list[str]) -> None:
    with pytest.raises(AssayError, match="no sample has a value in the metadata field 'page'"):
        assay.power(alike[0], "exact_match", cluster="page")


def test_samples_that_are_alike_are_pointed_out(assay: Client) -> None:
    samples = [
        {"id": str(at), "output": "да" if at // 10 % 2 else "нет", "references": ["да"],
         "metadata": {"page": at // 10}}
        for at in range(200)
    ]  # fmt: skip
    made = scored(assay, system="а", dataset="страницы", samples=samples, metrics=["exact_match"])
    told = assay.power(made.id, "exact_match").notes
    assert "samples of the same 'page' are alike" in told[-1]
    assert told[-1].endswith("too small: name `cluster=page`")
    grouped = assay.power(made.id, "exact_match", cluster="page")
    assert not any("are alike" in one for one in grouped.notes)
