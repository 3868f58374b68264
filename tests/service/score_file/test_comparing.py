"""Two files of the same samples, tested against each other."""

import numpy as np
import pytest

import metrics
from inference.errors import InputError
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.statistics.ranking import holm
from service.score_file.answers import paired_table
from service.score_file.comparing import PairedTest, paired_tests, shared
from tests.known import known

LEVEL = 0.95


def sample(id: str, output: str, reference: str = "yes", document: str = "") -> Sample:
    return Sample(id, (output,), (reference,), metadata={"document": document})


def drawn(seed: int, copies: int = 1) -> tuple[list[Sample], list[Sample]]:
    """Answers of two systems to 200 questions, 0.7 and 0.45 of them right, each `copies` times."""
    random = np.random.default_rng(seed)
    sides: list[list[Sample]] = []
    for share in (0.7, 0.45):
        said = ["yes" if one else "no" for one in random.random(200) < share]
        sides.append(
            [
                sample(f"{at}-{copy}", text, document=str(at))
                for at, text in enumerate(said)
                for copy in range(copies)
            ]
        )
    return sides[0], sides[1]


def compared(
    a: list[Sample], b: list[Sample], names: str = "exact_match", cluster: str | None = None
) -> list[PairedTest]:
    asked = [metrics.find(name).bind() for name in names.split(",")]
    a, b = shared(a, b, asked, ("a", "b"))
    first, second = (score(one, asked, cluster=cluster) for one in (a, b))
    return paired_tests(asked, first, second, a, cluster, LEVEL)


def test_a_difference_is_found_and_corrected() -> None:
    a, b = drawn(1)
    found = compared(a, b, "exact_match,chrf")
    exact = found[0]
    right = [np.mean([one.outputs[0] == "yes" for one in side]) for side in (a, b)]
    assert exact.a == pytest.approx(right[0])
    assert exact.difference == pytest.approx(right[0] - right[1])
    assert exact.interval is not None
    assert exact.interval[0] < right[0] - right[1] < exact.interval[1]
    assert exact.verdict == "a"
    p_values = np.array([one.p_value for one in found], np.float64)
    assert [one.p_corrected for one in found] == holm(p_values).tolist()
    turned = compared(b, a, "exact_match,chrf")[0]
    assert (turned.verdict, turned.p_value) == ("b", exact.p_value)


def test_neither_is_better_by_its_length() -> None:
    a, b = ([sample(str(at), "yes " * (at % 3 + n)) for at in range(30)] for n in (1, 2))
    b[0] = sample("0", "yes " * 5)
    (found,) = compared(a, b, "length")
    assert (found.verdict, known(found.p_corrected) < 0.05) == ("neither", True)
    table = paired_table(30, [found], ("a", "b"), [])
    assert (dict(table.marks), table.best) == ({(0, "difference"): "***"}, frozenset())
    assert not any("↑" in str(cell) for row in [*table.rows, table.legend] for cell in row)


def test_equal_files_do_not_differ() -> None:
    a, _ = drawn(1)
    (found,) = compared(a, a)
    assert (found.verdict, found.difference, found.p_corrected) == ("open", 0.0, 1.0)


def test_copies_of_a_sample_count_once_when_they_are_clustered() -> None:
    """Ten copies of each say nothing new: over clusters the interval is as wide as that of one,
    and over samples narrower by the root of ten. Widths are of 1,000 draws: 7% either way."""
    (single,) = compared(*drawn(2))
    (clustered,) = compared(*drawn(2, copies=10), cluster="document")
    (loose,) = compared(*drawn(2, copies=10))
    assert clustered.difference == pytest.approx(single.difference)
    assert (clustered.n, clustered.clusters) == (2000, 200)

    def width(one: PairedTest) -> float:
        assert one.interval is not None
        return one.interval[1] - one.interval[0]

    assert width(clustered) == pytest.approx(width(single), rel=0.15)
    assert width(loose) == pytest.approx(width(single) / 10**0.5, rel=0.15)


def test_equal_systems_seldom_differ_over_clusters() -> None:
    """Sixty pairs of equal systems, 40 documents of 5 questions each, alike within a document. Of
    400 such pairs 6.5% differ over documents, and 23% over questions."""
    random = np.random.default_rng(7)
    found: dict[str | None, int] = {None: 0, "document": 0}
    for _ in range(60):
        share = np.repeat(random.beta(0.8, 0.8, (2, 40)), 5, axis=1)
        right = random.random((2, 200)) < share
        a, b = (
            [
                sample(str(at), "yes" if one else "no", document=str(at // 5))
                for at, one in enumerate(side)
            ]
            for side in right
        )
        for cluster in found:
            (one,) = compared(a, b, cluster=cluster)
            found[cluster] += one.verdict != "open"
    assert found["document"] <= 8 < found[None]  # of 60: 3.9 and 14 are expected


def test_only_samples_of_both_are_compared() -> None:
    a, b = drawn(3)
    (found,) = compared(a[10:], b[:-10][::-1])
    assert found.n == 180
    right = np.mean([one.outputs[0] == "yes" for one in a[10:-10]])
    assert found.a == pytest.approx(right)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="share no sample's id: '1' is one of a, '2' of b"):
        compared([sample("1", "yes")], [sample("2", "yes")])
    with pytest.raises(InputError, match="b: sample '1' has another references"):
        compared([sample("1", "yes")], [sample("1", "yes", "no")])
    a, b = drawn(4, copies=2)
    found = compared(a, b, "distinct_n", cluster="document")
    assert all(one.verdict is None and "clusters" in str(one.note) for one in found)
    assert compared(a, b, "distinct_n")[0].p_value is not None
