"""What is out on one channel of RabbitMQ: settled from any thread, once, and told to the broker in few words."""

from __future__ import annotations

from collections import deque

from pika.channel import Channel

from bus.rabbitmq_link import Link


class Acks:
    def __init__(self, link: Link, channel: Channel) -> None:
        self.link, self.channel = link, channel
        self._open: dict[int, None] = {}  # nobody has settled it yet
        self._out: dict[int, None] = {}  # the broker was not told yet; used in the link's thread only
        self._waiting: deque[int] = deque()
        self._called = False

    def arrived(self, tag: int) -> None:
        self._out[tag] = None
        self._open[tag] = None

    def reopen(self, tag: int) -> None:
        """It is handed out again from here."""
        self._open[tag] = None

    def settle(self, tag: int) -> bool:
        """Whether this is the first word on it: what is there holds None."""
        return self._open.pop(tag, self) is None

    def ack(self, tag: int) -> None:
        """Tell the broker soon that it is done."""
        self._waiting.append(tag)
        if not self._called:
            self._called = True
            self.link.call(self.tell)

    def reject(self, tag: int) -> None:
        """Give it back to its queue; in the link's thread only."""
        if self.channel.is_open and self._out.pop(tag, self) is None:
            self.channel.basic_nack(tag, requeue=True)

    def end(self) -> None:
        """The channel is gone, or about to go: what is out goes back by itself, and no word on it counts."""
        self._open.clear()
        self._out.clear()

    def tell(self) -> None:
        """Tell the broker now what is done; in the link's thread only."""
        self._called = False
        done: dict[int, None] = {}
        while self._waiting:
            done[self._waiting.popleft()] = None
        if not self.channel.is_open:
            return
        last = 0
        for tag in self._out:
            if tag not in done:
                break
            last = tag
        if last:
            self.channel.basic_ack(last, multiple=True)
        for tag in done:
            if self._out.pop(tag, self) is None and tag > last:
                self.channel.basic_ack(tag)
