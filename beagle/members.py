"""Which replicas of the actors live, and which of them does what. Only this module writes `Member` records.

For efficiency alone: whoever is wrong about it for a moment loses a compare-and-set, and does no harm.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Protocol

from beagle.messages import new_id
from beagle.ports import Store, paged
from beagle.records import Member

log = logging.getLogger(__name__)

# Seconds of the observer's own monotonic clock, counted while it watches. A member renews its record every second, and
# is looked at as often: so it is dead at the third look that finds it unchanged, three to four seconds after its death.
DEAD_AFTER = 2.5
FORGOTTEN_AFTER = 60.0
# Between two looks so much counts at most: an observer that slept, or whose store was away, has seen nothing meanwhile.
LONGEST_LOOK = 1.5


def winner(duty: str, members: Iterable[str]) -> str | None:
    """Rendezvous hashing: when a member comes or goes, only what it gets or had changes hands."""
    return max(members, key=lambda member: (_weight(duty, member), member), default=None)


def shares(duties: Sequence[str], members: Sequence[str]) -> dict[str, str]:
    """Whose each duty is: as `winner`, but no two members' numbers of duties differ by more than one."""
    if not members:
        return {}
    least, larger = divmod(len(duties), len(members))
    had = dict.fromkeys(members, 0)
    pairs = sorted(((_weight(duty, member), duty, member) for duty in duties for member in members), reverse=True)
    found: dict[str, str] = {}
    for _, duty, member in pairs:
        # So many members as there are duties left over may have one more than the others.
        most = least + (sum(count > least for count in had.values()) < larger)
        if duty not in found and had[member] < most:
            had[member] += 1
            found[duty] = member
    return found


def _weight(duty: str, member: str) -> bytes:
    return blake2b(f"{member}\n{duty}".encode(), digest_size=8).digest()


def scattered(store: Store) -> dict[str, list[str]]:
    """The sites whose living launchers are on several hosts, for who is no member.

    Takes some seconds if there seem to be any: whoever lives has renewed its record by then.
    """
    before = _all(store)
    if not _scattered(before):
        return {}
    time.sleep(DEAD_AFTER)
    known = {member.id: member.version for member in before}
    return _scattered(member for member in _all(store) if known.get(member.id) != member.version)


def _scattered(members: Iterable[Member]) -> dict[str, list[str]]:
    hosts: dict[str, set[str]] = {}
    for member in members:
        if member.kind == "launcher":
            hosts.setdefault(member.site, set()).add(member.id.partition(".")[2].rpartition(".")[0])
    return {site: sorted(names) for site, names in hosts.items() if len(names) > 1}


def _all(store: Store) -> list[Member]:
    return list(paged(lambda after: store.page(Member, "all", after=after, limit=1000)))


class Membership(Protocol):
    """What one replica knows of all. `turn` and `leave` are for its actor's thread, the questions for any."""

    name: str
    alone: bool
    # What this replica cannot do now, for whoever asks why.
    trouble: str

    def turn(self) -> bool:
        """Say that this replica lives, and see who else does: at its start, then every second.

        False when the last time is so long ago that others may have taken this one for dead, and its duties over.
        """

    def leave(self) -> None:
        """It ends in an orderly way: what was its goes to others at once."""

    def living(self, kind: str, site: str | None = None) -> list[str]:
        """The names of the living replicas of a kind, of one site or of all."""

    def lives(self, name: str) -> bool: ...

    def sites(self) -> list[str]:
        """Those with a living launcher."""

    def troubles(self, site: str | None) -> list[str]:
        """What keeps the launchers of a site from starting what they should."""

    def mine(self, duty: str) -> bool:
        """Whether this replica is the one of its kind, and of its site if it has one, to do it."""

    def share(self, duties: Sequence[str]) -> frozenset[str]:
        """Which of the duties, spread evenly, are this replica's."""


class Alone:
    """All actors are in this process, and whoever wants to know may be told so: nothing is written."""

    alone = True

    def __init__(self, kind: str, site: str, troubles: dict[str, str] | None = None) -> None:
        self.name, self._site = f"{kind}.{site}", site
        self._troubles = {} if troubles is None else troubles

    @property
    def trouble(self) -> str:
        return self._troubles.get(self.name, "")

    @trouble.setter
    def trouble(self, sentence: str) -> None:
        self._troubles[self.name] = sentence

    def turn(self) -> bool:
        return True

    def leave(self) -> None: ...

    def living(self, kind: str, site: str | None = None) -> list[str]:
        return [f"{kind}.{self._site}"] if site in (None, self._site) else []

    def lives(self, name: str) -> bool:
        return name.endswith(f".{self._site}")

    def sites(self) -> list[str]:
        return [self._site]

    def troubles(self, site: str | None) -> list[str]:
        told = self._troubles.get(f"launcher.{site}")
        return [told] if told else []

    def mine(self, duty: str) -> bool:  # noqa: ARG002 - all of them
        return True

    def share(self, duties: Sequence[str]) -> frozenset[str]:
        return frozenset(duties)


@dataclass(slots=True)
class _Seen:
    member: Member
    changed_at: float


class Members:
    """One replica among many, over a store that all of them share. `site` is a launcher's own; others have none."""

    alone = False

    def __init__(
        self, store: Store, kind: str, site: str = "", *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = f"{kind}.{socket.gethostname()}.{new_id()[:8]}"
        self.store, self._monotonic = store, monotonic
        self.trouble = ""
        self._own = Member(id=self.name, kind=kind, site=site)
        self._stored = False
        self._seen: dict[str, _Seen] = {}
        self._watched, self._looked_at = 0.0, monotonic()
        self._renewed_at = self._looked_at
        # Replaced as a whole, for those who ask from other threads.
        self._living: tuple[Member, ...] = (self._own,)

    def turn(self) -> bool:
        before, self._renewed_at = self._renewed_at, self._monotonic()
        self._renew()
        self._look()
        return self._monotonic() - before < DEAD_AFTER

    def leave(self) -> None:
        self.store.remove(Member, [self.name])
        self._stored = False

    def living(self, kind: str, site: str | None = None) -> list[str]:
        return [member.id for member in self._living if member.kind == kind and site in (None, member.site)]

    def lives(self, name: str) -> bool:
        return any(member.id == name for member in self._living)

    def sites(self) -> list[str]:
        return sorted({member.site for member in self._living if member.kind == "launcher"})

    def troubles(self, site: str | None) -> list[str]:
        launchers = (member for member in self._living if member.kind == "launcher" and member.site == site)
        return [member.trouble for member in launchers if member.trouble]

    def mine(self, duty: str) -> bool:
        return winner(duty, self._peers()) == self.name

    def share(self, duties: Sequence[str]) -> frozenset[str]:
        found = shares(duties, self._peers())
        return frozenset(duty for duty, member in found.items() if member == self.name)

    def _peers(self) -> list[str]:
        return self.living(self._own.kind, self._own.site or None)

    def _renew(self) -> None:
        after = replace(self._own, version=self._own.version + 1, trouble=self.trouble)
        if self._stored and self.store.replace(self._own, after, lazy=True):
            self._own = after
            return
        # Its first, or somebody took it for dead and removed it; or the answer to the last renewal was lost.
        self._stored = self.store.add([self._own], lazy=True) == [True]
        if not self._stored:
            self._own = self.store.get(Member, self.name) or self._own
            self._stored = True

    def _look(self) -> None:
        found = _all(self.store)
        now = self._monotonic()
        self._watched += min(now - self._looked_at, LONGEST_LOOK)
        self._looked_at = now
        self._seen = {member.id: self._judged(member) for member in found}
        living = [seen.member for seen in self._seen.values() if self._since(seen) < DEAD_AFTER]
        others = [member for member in living if member.id != self.name]
        self._living = tuple(sorted([self._own, *others], key=lambda member: member.id))
        forgotten = [name for name, seen in self._seen.items() if self._since(seen) > FORGOTTEN_AFTER]
        if forgotten:
            log.info("%s were not heard of for %g s", ", ".join(forgotten), FORGOTTEN_AFTER)
            self.store.remove(Member, forgotten)

    def _judged(self, member: Member) -> _Seen:
        known = self._seen.get(member.id)
        if known is not None and known.member.version == member.version:
            return known
        # One that is seen for the first time may have died long ago; for some seconds it is taken for alive.
        return _Seen(member, self._watched)

    def _since(self, seen: _Seen) -> float:
        return self._watched - seen.changed_at


def together() -> Callable[[str, str], Membership]:
    """For `World.membership`, where all actors are in one process: they know of each other's troubles."""
    troubles: dict[str, str] = {}
    return lambda kind, site: Alone(kind, site, troubles)


def joining(store: Store) -> Callable[[str, str], Membership]:
    """For `World.membership`, where several processes share a store."""
    return partial(_join, store)


def _join(store: Store, kind: str, site: str) -> Membership:
    return Members(store, kind, site if kind == "launcher" else "")
