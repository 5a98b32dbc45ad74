"""Tries out all that a deployment needs, one thing after the other, and says what to do about what is wrong."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from beagle import plugins
from beagle.errors import BeagleError, InvalidInput, Unavailable
from beagle.folder import NAME, Folder
from beagle.members import Members, scattered
from beagle.ports import Store
from beagle.records import Member
from beagle.redaction import redacted
from beagle.settings import MEMORY, SQLITE, Chosen, Settings

FREE_SPACE = 1 << 30
# Deadlines are counted by the clock of the process that launched, and may be judged by another's.
CLOCKS_APART = 2.0
OK, NOTE, WRONG = "ok", "note", "wrong"
PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` is to be put right; a `note` is worth knowing."""

    what: str
    verdict: str
    sentence: str


def examine(chosen: Chosen) -> Iterator[Finding]:
    """Each finding as soon as it is known. Leaves nothing behind; no sentence holds a secret."""
    secrets = chosen.secrets()
    for what, check in _checks(chosen.settings):
        try:
            for verdict, sentence in check():
                yield Finding(what, verdict, redacted(sentence, secrets))
        except InvalidInput as error:
            yield from (Finding(what, WRONG, redacted(problem, secrets)) for problem in error.problems)
        except (BeagleError, OSError) as error:
            yield Finding(what, WRONG, redacted(str(error), secrets))


Said = Iterator[tuple[str, str]]


def _checks(settings: Settings) -> list[tuple[str, Callable[[], Said]]]:
    checks: list[tuple[str, Callable[[], Said]]] = [("broker", lambda: _broker(settings, settings.bus, "BEAGLE_BUS"))]
    if settings.apart:
        if settings.metrics_bus:
            checks.append(("metrics", lambda: _broker(settings, settings.metrics_bus, "BEAGLE_METRICS_BUS")))
        checks.append(("management", lambda: _management(settings)))
    checks += [
        ("store", lambda: _store(settings)),
        ("orchestrator", lambda: _orchestrator(settings)),
        ("folder", lambda: _folder(settings)),
    ]
    return checks


def _broker(settings: Settings, url: str, variable: str) -> Said:
    if url == MEMORY:
        yield OK, "the bus is within one process: nothing to check"
        return
    from bus.rabbitmq_probe import probe  # noqa: PLC0415 - its driver costs 0.1 s

    try:
        about = probe(url)
    except Unavailable as error:
        what = "check that RabbitMQ runs there, and the address, user, password and virtual host in"
        raise Unavailable(f"{error}; {what} {variable}") from error
    yield OK, f"{about}: exchanges, quorum queues and confirmed messages work"
    if variable == "BEAGLE_BUS" and not settings.metrics_bus:
        yield NOTE, "metrics share its virtual host; give experiments one of their own with BEAGLE_METRICS_BUS"


def _management(settings: Settings) -> Said:
    if settings.management == "off":
        yield NOTE, "off by BEAGLE_MANAGEMENT: no attempt gets a broker user of its own, and one may speak for another"
        return
    from bus.rabbitmq_management import Management, beside  # noqa: PLC0415 - its driver costs 0.1 s

    found = settings.management == "auto"
    management = Management(beside(settings.metrics_bus or settings.bus) if found else settings.management)
    without = "no attempt gets a broker user of its own, and one may speak for another"
    try:
        broker = management.broker()
    except BeagleError as error:
        what = "enable it with `rabbitmq-plugins enable rabbitmq_management`, or name it in BEAGLE_MANAGEMENT"
        yield NOTE if found else WRONG, f"{error}: {without}; {what}"
        return
    if not broker.administrator:
        what = (
            "give it the tag with `rabbitmqctl set_user_tags USER administrator`, or another user in BEAGLE_MANAGEMENT"
        )
        yield NOTE if found else WRONG, f"its user at {management.place} is no administrator: {without}; {what}"
    else:
        yield OK, f"RabbitMQ {broker.version} at {management.place}: attempts can have broker users of their own"
    yield from _clock("the broker's", broker.clock)


def _store(settings: Settings) -> Said:
    if settings.store == SQLITE:
        yield OK, "the store is a file in the state folder: nothing to check"
        return
    from beagle.stores.mongodb import MongoStore  # noqa: PLC0415 - its driver costs 0.2 s

    try:
        store = MongoStore(settings.store)
    except Unavailable as error:
        raise Unavailable(f"{error}; its address is in BEAGLE_STORE") from error
    try:
        _write_and_read(store)
        server = store.server()
        yield OK, f"MongoDB {server.version}: indexes are there, what was written was read back"
        yield from _clock("the store's", server.clock)
        yield from _sites(settings, store)
    finally:
        store.close()


def _sites(settings: Settings, store: Store) -> Said:
    """What a launcher does not find where it looks it takes for lost, once the one that started it is gone."""
    verdict, one = (WRONG, "machine") if settings.orchestrator == PROCESS else (NOTE, "engine")
    if verdict == NOTE and "://" in settings.orchestrator_url.removeprefix("unix://"):
        return
    for site, hosts in scattered(store).items():
        where = f"the launchers of site {site} run on {' and '.join(hosts)}"
        yield verdict, f"{where}: a site is one {one}; where theirs are several, give each a --site of its own"


def _write_and_read(store: Store) -> None:
    """As every actor does each second, and away again."""
    doctor = Members(store, "doctor")
    doctor.turn()
    found = store.get(Member, doctor.name)
    doctor.leave()
    if found is None or store.get(Member, doctor.name) is not None:
        raise Unavailable("what was written could not be read back: check that nobody else uses this database")


def _orchestrator(settings: Settings) -> Said:
    with tempfile.TemporaryDirectory(prefix="beagle-doctor-") as scratch:
        there = _path(settings)
        used = there if Folder(there).running.is_dir() else Path(scratch)  # what is not there is not made
        made = plugins.made(used, settings)
        about = getattr(made, "about", None)
        try:
            found = about() if about is not None else f"{len(made.list())} started and not cleaned up"
        finally:
            made.close()
    yield OK, f"{settings.orchestrator}, site {settings.site}: {found}"


def _folder(settings: Settings) -> Said:
    there = _path(settings)
    nearest = next(folder for folder in (there, *there.parents) if folder.exists())
    if there.exists():
        Folder(there).check()
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        what = "give this user the right, or use BEAGLE_FOLDER"
        raise InvalidInput([f"{there} cannot be written ({error.strerror}): {what}"]) from error
    free = shutil.disk_usage(nearest).free
    if free < FREE_SPACE:
        yield WRONG, f"{there} has only {free / FREE_SPACE:.1f} GiB left: free some space"
        return
    made = "" if there.exists() else ", to be made"
    yield OK, f"{there}{made}: writable, {free / FREE_SPACE:.0f} GiB free"


def _path(settings: Settings) -> Path:
    return Path(settings.folder or NAME).absolute()


def _clock(whose: str, theirs: float | None) -> Said:
    """To the second, as exactly as an HTTP date says it."""
    apart = 0.0 if theirs is None else abs(time.time() - theirs)
    if apart > CLOCKS_APART:
        what = "timeouts are judged by clocks: keep them together with NTP"
        yield WRONG, f"{whose} clock and this machine's are {apart:.0f} s apart; {what}"
