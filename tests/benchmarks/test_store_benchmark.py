"""The benchmark of the store, run briefly: it does what it says it measures."""

from __future__ import annotations

from tests.benchmarks.store import compare, ratios


def test_both_sizes_claim_one_of_each_project_in_every_round(tmp_path):
    small, large = compare(tmp_path, small=20, large=300, rounds=8)
    assert (small.waiting, small.claimed) == (20, 16)
    assert (large.waiting, large.claimed) == (300, 16)


def test_every_ratio_is_of_something_that_took_time(tmp_path):
    found = ratios(*compare(tmp_path, small=10, large=20, rounds=3))
    assert set(found) == {"claim", "claim_beside", "page", "counts", "counts_of_one"}
    assert all(ratio > 0 for ratio in found.values())
