"""What could not be handled: listed, shown, sent again and dropped. It is on the bus, and in no store."""

from __future__ import annotations

from actors import views
from actors.orders.front import Front
from beagle.commands_dead import DropDeadLetter, ListDeadLetters, ReplayDeadLetter, ShowDeadLetter
from beagle.errors import NotFound
from beagle.message import Answer
from bus.port import DeadLetter

# Further back nobody looks one up; what stands before it can be replayed or dropped.
MOST = 10_000
LONGEST_SHOWN = 64 * 1024


class DeadLetterOrders(Front):
    def list_dead_letters(self, question: ListDeadLetters) -> Answer:
        return {"letters": [_view(letter) for letter in self.world.bus.dead_letters(question.limit)]}

    def show_dead_letter(self, question: ShowDeadLetter) -> Answer:
        for letter in self.world.bus.dead_letters(MOST):
            if letter.id == question.letter:
                body = letter.body[:LONGEST_SHOWN].decode("utf-8", "backslashreplace")
                return {"letter": {**_view(letter), "body": body, "cut": len(letter.body) > LONGEST_SHOWN}}
        raise _unknown(question.letter)

    def replay_dead_letter(self, order: ReplayDeadLetter) -> Answer:
        if not self.world.bus.replay(order.letter):
            raise _unknown(order.letter)
        return {"letter": {"id": order.letter}}

    def drop_dead_letter(self, order: DropDeadLetter) -> Answer:
        if not self.world.bus.drop(order.letter):
            raise _unknown(order.letter)
        return {"letter": {"id": order.letter}}


def _view(letter: DeadLetter) -> Answer:
    return {
        "id": letter.id,
        "at": views.moment(letter.at),
        "queue": letter.queue,
        "exchange": letter.exchange,
        "key": letter.key,
        "reason": letter.reason,
        "size": len(letter.body),
    }


def _unknown(letter: str) -> NotFound:
    return NotFound(f"there is no dead letter {letter}: it was replayed or dropped, or its process has ended")
