"""An actor that reads what has come before its turn has come, so that the metrics in it are stored in one call."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from actors.account import Account
from actors.base import World
from actors.crew import Crew
from actors.in_order import InOrder
from beagle.messages import AnyMessage, MetricsReported
from bus.port import Delivery

# So many messages, and reports in them, are stored in one call at most: what crosses a limit waits for no more.
MOST = 200


@dataclass(slots=True)
class Ahead:
    """One message among those that come, or what is wrong with it."""

    message: AnyMessage | Exception
    _account: Account | None = None
    _readings: int = 0
    _new: list[bool] | None = None

    @property
    def said(self) -> AnyMessage:
        if isinstance(self.message, Exception):
            raise self.message
        return self.message

    @property
    def metrics(self) -> MetricsReported | None:
        return self.message if isinstance(self.message, MetricsReported) else None

    def stored(self, account: Account, readings: int, new: list[bool]) -> None:
        """Its reports are stored, and these of them were new. `account` had been read so often by then."""
        self._account, self._readings, self._new = account, readings, new

    def new(self, account: Account) -> list[bool] | None:
        """Which of its reports are still to be counted in `account`; None: they are not stored yet."""
        if self._new is None or (account is self._account and account.readings == self._readings):
            return self._new
        return [False] * len(self._new)  # it was read since, with them in it


class LookingAhead(InOrder):
    """Each message is handled in its turn all the same, and acknowledged after it."""

    def __init__(self, world: World, crew: Crew) -> None:
        super().__init__(world, crew)
        # In the order in which they will be taken, the next one first.
        self._ahead: deque[Ahead] = deque()
        self.present: Ahead

    def read_one(self, delivery: Delivery) -> AnyMessage:
        """What this one says."""
        return super().read(delivery)

    def may_end(self, metrics: MetricsReported) -> bool:  # noqa: ARG002 - whoever knows better looks at them
        """Whether the attempt may be over after these: then nothing is read ahead of them."""
        return True

    def store_ahead(self, found: Sequence[Ahead]) -> None:
        """Store the metrics of several messages at once, if that can be done now."""

    def read(self, delivery: Delivery) -> AnyMessage:
        if not self._ahead:
            self._look(delivery)
        self.present = self._ahead.popleft()
        return self.present.said

    def try_later(self, delivery: Delivery) -> None:
        self._ahead.clear()  # all of it waits behind this one, and is read again
        super().try_later(delivery)

    def _look(self, delivery: Delivery) -> None:
        """Up to the first message after which the next may mean something else."""
        found, reports = [Ahead(self.read_one(delivery))], 0
        for coming in self.coming(MOST):
            metrics = found[-1].metrics
            if metrics is None or self.may_end(metrics):
                break
            reports += len(metrics.reports)
            if reports >= MOST:
                break
            found.append(Ahead(self.outcome(self.read_one, coming)))
        told = [each for each in found if each.metrics is not None]
        if len(told) > 1:
            self.store_ahead(told)
        self._ahead.extend(found)
