"""Takes the metrics that experiments send to the gateway, over the bus to their monitor: as any stranger's, but told
at once what is wrong with them."""

from __future__ import annotations

import hmac
import re
import threading

from beagle import deployment
from beagle.answers import raise_for
from beagle.bucket import Allowance, Bucket
from beagle.errors import NotFound, Refused
from beagle.experiment import Experiment, State
from beagle.metric_lines import Reading
from beagle.ports import Store
from beagle.raw_metrics import WAY, Name, as_report, attempt_of, has_begun, matters
from beagle.sent_metrics import Sent, Taken, TooFast, reports_of
from bus.port import Bus
from bus.routes import METRICS, metric_key

_MOST_BUCKETS = 10_000
_ID = re.compile(r"[0-9a-f]{24}")


class Intake:
    """From any thread. `allowance` is what each experiment may send."""

    def __init__(self, store: Store, bus: Bus, allowance: Allowance) -> None:
        self._store, self._bus, self._allowance = store, bus, allowance
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def proves(self, token: str, experiment: str, attempt: int | None) -> bool:
        """Whether this is the token of that attempt; where none is named, of the one that it would be taken for."""
        if not _ID.fullmatch(experiment):
            return False
        if attempt is None:
            known = self._store.get(Experiment, experiment)
            attempt = attempt_of(known, None) if known is not None else 0
        right = deployment.attempt_token(deployment.load(self._store), experiment, attempt)
        return hmac.compare_digest(token.encode(), right.encode())

    def take(self, sent: Sent) -> Taken:
        """Returns when all of it is safe: stored, or on the broker's disk.

        Raises `NotFound`, `Refused` for an attempt that has not begun, `InvalidInput` for a body without any report,
        `TooFast`, and `Unavailable`.
        """
        experiment, attempt = self._whose(sent)
        told = reports_of(sent)
        key = metric_key(experiment.id, attempt)
        for piece, reading in told:
            if not self._may(experiment, attempt, reading):
                raise TooFast(self._too_fast())
            answer = self._bus.entrust(
                METRICS, key, piece.body, message_id=piece.message_id, headers={WAY: "http", **piece.headers}
            )
            self._check(answer)
        refusals = tuple(refusal for _, reading in told for refusal in reading.refusals)
        return Taken(experiment=experiment.id, attempt=attempt, reports=len(told), refusals=refusals)

    def _whose(self, sent: Sent) -> tuple[Experiment, int]:
        experiment = self._store.get(Experiment, sent.experiment) if _ID.fullmatch(sent.experiment) else None
        if experiment is None or experiment.state is State.DELETED:
            raise NotFound(f"no experiment has the id {sent.experiment[:100]}")
        attempt = attempt_of(experiment, None) if sent.attempt is None else sent.attempt
        if not 1 <= attempt <= experiment.attempt:
            raise NotFound(f"{experiment.name} has no attempt {attempt}; it has had {experiment.attempt}")
        if not has_begun(experiment, attempt):
            raise Refused(f"attempt {attempt} of {experiment.name} has not begun")
        return experiment, attempt

    def _may(self, experiment: Experiment, attempt: int, reading: Reading) -> bool:
        if matters(experiment, attempt, as_report(reading, Name("", 0))):
            return True
        with self._lock:
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.clear()
            return self._buckets.setdefault(experiment.id, Bucket(self._allowance)).take()

    def _check(self, answer: dict[str, object]) -> None:
        try:
            raise_for(answer)
        except Refused as error:  # the monitor has counts of its own, and refuses for nothing else
            raise TooFast(self._too_fast()) from error

    def _too_fast(self) -> str:
        return f"more than {self._allowance.rate:g} reports came in a second; send the rest a second later"
