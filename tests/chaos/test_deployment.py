"""The actors apart, two of each, over RabbitMQ and MongoDB's protocol, with everything that may die dying at random."""

from __future__ import annotations

import os

import pytest

from tests.chaos.campaign import Campaign, run
from tests.chaos.deployment import Deployment

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(1200)]
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "1")))
MODERATE = Campaign(rounds=6, experiments=96, kills=36, stops=6, brokers=1, stores=2, seconds=60)
FULL = Campaign(rounds=10, experiments=200, kills=100, stops=20, brokers=5, stores=5, seconds=160)
CAMPAIGN = FULL if os.environ.get("BEAGLE_CHAOS") == "full" else MODERATE


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_dies_and_sleeps_nothing_is_lost_or_doubled_and_the_limit_holds(tmp_path, seed):
    with Deployment(tmp_path, seed=seed) as deployment:
        assert run(deployment, CAMPAIGN, seed) == []
