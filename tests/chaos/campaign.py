"""A deployment that works while it is hurt: how much of both, and the verdict after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from tests.chaos.deployment import Deployment, Faults
from tests.chaos.oracle import PATIENCE, Oracle, every
from tests.chaos.scenario import RETRIES, ending, hanging, sent
from tests.journeys.beagle_run import Search

LIMIT, SLOW = 6, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """There are `rounds` of it: in each, work is handed out, and then comes the round's share of faults.

    Only actors die whose name begins with `victims`. When it is over, all has to have ended within `patience` seconds.
    """

    rounds: int
    experiments: int
    kills: int
    stops: int = 0
    brokers: int = 0
    stores: int = 0
    engines: int = 0
    seconds: float
    victims: str | tuple[str, ...] = ""
    slow: int = SLOW
    patience: float = PATIENCE + 15

    def faults(self, faults: Faults, chance: Random) -> list[Callable[[], None]]:
        """Those of all rounds, in the order in which they come."""
        found = [faults.kill] * self.kills + [faults.stop] * self.stops
        found += [faults.broker] * self.brokers + [faults.store] * self.stores + [faults.engine] * self.engines
        chance.shuffle(found)
        return found

    def work(self) -> Iterator[Search]:
        """Of each round; slow enough that there is always something that runs."""
        each = self.experiments // self.rounds
        for number in range(self.rounds):
            search = hanging(each // 2, slow=self.slow) if number % 3 == 1 else ending(each, slow=self.slow)
            yield replace(search, name=f"{search.name}{number}")


def run(deployment: Deployment, campaign: Campaign, seed: int) -> list[str]:
    """What the oracle says after all of it, and which actors ended by themselves."""
    chance, work = Random(seed), [*campaign.work()]
    faults = Faults(deployment, chance, campaign.victims)
    to_come = campaign.faults(faults, chance)
    deployment.start(LIMIT)
    deployment.submit(work[0])
    for number in range(campaign.rounds):
        # The work is one round ahead of the faults.
        for search in work[number + 1 : number + 2]:
            deployment.submit(search)
        for fault in to_come[number :: campaign.rounds]:
            time.sleep(chance.expovariate(len(to_come) / campaign.seconds))
            fault()
    quiet_since = faults.over()
    (deployment.folder / "faults").write_text("\n".join(faults.done))
    _wait(deployment, sent(work), quiet_since + campaign.patience)
    oracle = Oracle(
        deployment.entries(),
        deployment.store,
        LIMIT,
        sent(work),
        quiet_since,
        RETRIES,
        outages=deployment.engine.outages,
        clocks=deployment.engine.clocks,
    )
    return oracle.violations() + deployment.ended() + deployment.engine.violations()


def _wait(deployment: Deployment, count: int, until: float) -> None:
    while not is_over(deployment, count) and time.time() < until:
        time.sleep(0.2)


def is_over(deployment: Deployment, count: int) -> bool:
    """Whether so many experiments have ended, and nothing runs any more."""
    found = every(deployment.store)
    return len(found) == count and all(e.ended_at is not None for e in found) and deployment.engine.running() == 0
