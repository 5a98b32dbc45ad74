"""Containers on a real Docker daemon, while launchers and gateways are killed at random and the daemon dies once."""

from __future__ import annotations

import os

import pytest

from tests.chaos.campaign import Campaign, run
from tests.chaos.deployment import Deployment
from tests.chaos.engines import Daemon

pytestmark = [pytest.mark.xdist_group("chaos containers"), pytest.mark.timeout(900)]
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "1")))
VICTIMS = ("launcher", "gateway")
MODERATE = Campaign(rounds=3, experiments=60, kills=14, engines=1, seconds=30, victims=VICTIMS)
FULL = Campaign(rounds=6, experiments=120, kills=50, engines=2, seconds=90, victims=VICTIMS)
CAMPAIGN = FULL if os.environ.get("BEAGLE_CHAOS") == "full" else MODERATE


@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_is_killed_and_when_docker_dies_no_attempt_runs_twice_and_the_limit_holds(tmp_path, seed):
    with Deployment(tmp_path, seed=seed, engine=Daemon(tmp_path)) as deployment:
        assert run(deployment, CAMPAIGN, seed) == []
