"""A broker user for each attempt, that may publish with that attempt's keys and do nothing else.

Made over RabbitMQ's management interface before the launch, removed when the attempt's place is given back.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Callable
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from beagle.access import STRANGERS, Access, NoAccess, SharedAccess
from beagle.errors import InvalidInput, Unavailable
from beagle.settings import Settings
from bus.metric_keys import topic
from bus.rabbitmq_management import Management, beside
from bus.routes import METRICS, metric_key

log = logging.getLogger(__name__)

# For all processes of an attempt: each that reports has a connection with one channel.
CONNECTIONS, CHANNELS = 64, 128
_NAME = re.compile(rf"{STRANGERS}([0-9a-f]{{24}})-([1-9][0-9]*)")


def access_to(settings: Settings) -> Access:
    """As the settings say. `auto`: users of their own where the management interface lets us make some."""
    metrics = settings.metrics_bus or settings.bus
    if settings.management == "off":
        return _by_hand(settings)
    found = settings.management == "auto"
    management = Management(beside(metrics) if found else settings.management)
    problem = why_not(management) if found else None
    if problem is not None:
        log.warning("experiments get no broker users of their own: %s", problem)
        return _by_hand(settings)
    return BrokerUsers(management, metrics, settings.experiment_bus)


def _by_hand(settings: Settings) -> Access:
    """Only then the address must name a user: else each attempt's own is put in."""
    return SharedAccess(settings.experiment_bus, environment) if settings.experiment_bus else NoAccess()


def why_not(management: Management) -> str | None:
    """Why users cannot be made there; None when they can."""
    try:
        broker = management.broker()
    except (Unavailable, InvalidInput) as error:
        return str(error)
    return None if broker.administrator else f"the user at {management.place} lacks the tag administrator"


def environment(url: str, experiment: str, attempt: int) -> dict[str, str]:
    """For `beagle.report`, and in parts for whatever else can publish."""
    key = metric_key(experiment, attempt)
    return {
        "BEAGLE_REPORT_URL": f"{url}?key={key}",
        "BEAGLE_METRICS_URL": url,
        "BEAGLE_METRICS_EXCHANGE": METRICS,
        "BEAGLE_METRICS_KEY": key,
    }


class BrokerUsers:
    """`metrics` is the bus of the metrics as we reach it, `outside` as experiments do, if they do so otherwise."""

    open = True

    def __init__(self, management: Management, metrics: str, outside: str = "") -> None:
        self._management = management
        self._host = quote(unquote(urlsplit(metrics).path[1:]) or "/", safe="")
        self._outside = urlsplit(outside or metrics)
        if not self._outside.path.strip("/"):
            self._outside = self._outside._replace(path=f"/{self._host}")
        # By it our users are told from those of another deployment at the same broker.
        self._tag = f"beagle-{hashlib.sha256(self._host.encode()).hexdigest()[:16]}"
        self._secret = b""

    def admit(self, experiment: str, attempt: int) -> dict[str, str]:
        try:
            return self._admit(experiment, attempt)
        except InvalidInput as error:  # that we are not let in there is no fault of the experiment
            raise Unavailable(str(error)) from error

    def _admit(self, experiment: str, attempt: int) -> dict[str, str]:
        name = f"{STRANGERS}{experiment}-{attempt}"
        password = self._password(name)
        key = re.escape(metric_key(experiment, attempt))
        put = self._management.put
        put(f"/api/users/{name}", {"password": password, "tags": self._tag})
        put(f"/api/user-limits/{name}/max-connections", {"value": CONNECTIONS})
        put(f"/api/user-limits/{name}/max-channels", {"value": CHANNELS})
        # This one before the next: a user without a topic permission may publish with every key.
        keys = rf"^({key}|{topic(experiment)})\z"
        put(f"/api/topic-permissions/{self._host}/{name}", {"exchange": METRICS, "write": keys, "read": "^$"})
        what = {"configure": "^$", "write": rf"^{re.escape(METRICS)}\z", "read": "^$"}
        put(f"/api/permissions/{self._host}/{name}", what)
        place = self._outside.netloc.rpartition("@")[2]
        url = urlunsplit(self._outside._replace(netloc=f"{name}:{password}@{place}", query=""))
        return environment(url, experiment, attempt)

    def expel(self, experiment: str, attempt: int) -> None:
        self._remove(f"{STRANGERS}{experiment}-{attempt}")

    def sweep(self, is_over: Callable[[str, int], bool]) -> None:
        for name, tags in self._management.users():
            found = _NAME.fullmatch(name)
            if found is not None and self._tag in tags and is_over(found[1], int(found[2])):
                self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            self._management.delete(f"/api/users/{name}")
        except (Unavailable, InvalidInput) as error:
            log.info("the broker user %s stays for now: %s", name, error)

    def _password(self, name: str) -> str:
        """The same each time and in every launcher, so that a launch that is tried again shuts nobody out.

        Whoever knows one cannot find the others, nor, in any useful time, the secret that they come from.
        """
        if not self._secret:
            given = self._management.secret().encode()
            self._secret = hashlib.scrypt(given, salt=self._tag.encode(), n=2**14, r=8, p=1)
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()
