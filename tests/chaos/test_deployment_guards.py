"""Replicas that all take themselves for the only one break no law. With a guard switched off in them one is broken, and
the oracle finds it: so what it passes elsewhere was looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.campaign import Campaign, run
from tests.chaos.deployment import Deployment

pytestmark = [pytest.mark.xdist_group("chaos guards"), pytest.mark.timeout(600)]
DOUBTS = "everyone drowsy unordered"
DOUBTFUL = Campaign(rounds=2, experiments=48, kills=14, seconds=10, victims="queue-manager", slow=1)
SLEEPY = replace(DOUBTFUL, kills=4, slow=2, patience=20)
LAUNCHERS = Campaign(rounds=2, experiments=48, kills=14, seconds=10, victims="launcher", slow=1)


@pytest.fixture
def found(tmp_path):
    """What the oracle finds when the actors were tampered with."""

    def found(tamper: str, campaign: Campaign, seed: int = 1) -> str:
        folder = tmp_path / str(seed)
        folder.mkdir()
        with Deployment(folder, seed=seed, tamper=tamper) as deployment:
            return "\n".join(run(deployment, campaign, seed))

    return found


@pytest.fixture
def exceeded(found):
    """Whether the limit is exceeded in one of a few campaigns: that takes a sleep at the wrong moment."""

    def exceeded(tamper: str) -> bool:
        return any("and the limit is" in found(tamper, SLEEPY, seed) for seed in range(1, 6))

    return exceeded


@pytest.mark.parametrize("campaign", [DOUBTFUL, LAUNCHERS], ids=["queue managers", "launchers"])
def test_replicas_that_all_take_themselves_for_the_only_one_break_no_law(found, campaign):
    assert found(DOUBTS, campaign) == ""


def test_without_the_versions_of_places_the_limit_is_exceeded(exceeded):
    assert exceeded(f"{DOUBTS} stale_places trusting_launch")


def test_without_a_new_version_of_what_is_repaired_and_the_launchers_check_the_limit_is_exceeded(exceeded):
    assert exceeded(f"{DOUBTS} careless_repair trusting_launch")


def test_without_repair_what_dead_queue_managers_took_is_lost(found):
    assert "has not ended" in found(f"{DOUBTS} no_repair", replace(DOUBTFUL, patience=8))


def test_without_the_check_for_repeats_metrics_are_stored_twice(found):
    assert "and stored are" in found("everyone forgetful_store", LAUNCHERS)


def test_without_the_names_of_workloads_an_attempt_is_started_twice(found):
    assert "was started 2 times" in found("everyone starting_again", LAUNCHERS)
