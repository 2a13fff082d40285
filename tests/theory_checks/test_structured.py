"""The neighbours of an instance are those at which theorems fail."""

from __future__ import annotations

from theory_checks.structured import structured

INSTANCE = {"u": [1.5, 2.0, 3.0], "v": [4.0, 5.0, 6.0], "rho": 0.75, "n": 3, "kind": "full"}


def neighbours(limit=10_000):
    return list(structured([INSTANCE], limit))


def test_entries_vanish_repeat_and_stand_alone():
    vectors = [instance["u"] for instance in neighbours()]
    for special in (
        [0.0, 2.0, 3.0], [1.5, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0],
        [1.5, 1.5, 3.0], [2.0, 2.0, 2.0], [-1.5, -2.0, -3.0],
    ):  # fmt: skip
        assert special in vectors


def test_vectors_become_collinear_either_way():
    pairs = [(instance["u"], instance["v"]) for instance in neighbours()]
    for same in (INSTANCE["u"], INSTANCE["v"]):
        assert (same, same) in pairs
    assert ([-4.0, -5.0, -6.0], [4.0, 5.0, 6.0]) in pairs


def test_parameters_go_to_the_ends_of_their_ranges_and_scales_to_extremes():
    numbers = [instance["rho"] for instance in neighbours()]
    for end in (0.0, 1.0, 2.0**-20, 1.0 - 2.0**-20, 1.0 + 2.0**-20, -0.75, 0.75 * 2.0**20):
        assert end in numbers
    assert [1.5 * 2.0**20, 2.0 * 2.0**20, 3.0 * 2.0**20] in [i["u"] for i in neighbours()]


def test_counts_and_words_stay_and_nothing_comes_twice():
    found = neighbours()
    assert all(instance["n"] == 3 and instance["kind"] == "full" for instance in found)
    assert all(found.count(instance) == 1 for instance in found)
    assert neighbours(5) == found[:5]
