"""What the gateway's groups of orders and questions share: how an order is applied once, and how records are shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TypeVar

from actors import views
from actors.base import BusActor, World
from actors.why import Why
from beagle import projects
from beagle.answers import failure, raise_for
from beagle.commands import Order
from beagle.errors import InvalidInput, NotFound, Refused
from beagle.experiment import Experiment
from beagle.message import Answer, Command
from beagle.ports import Store
from beagle.records import Applied, Project
from beagle.template import Template

Given = TypeVar("Given", bound=Command)
Who = TypeVar("Who", bound="Front")
Ordered = TypeVar("Ordered", Experiment, Project)


class Front(BusActor):
    """Stateless: every answer is read from the store, every effect is in it before the order is acknowledged."""

    def __init__(self, world: World, queues: tuple[str, ...], check_template: Callable[[Template], list[str]]) -> None:
        super().__init__(world, queues)
        self.check_template = check_template

    def sweep_soon(self) -> None:
        """What is deleted, stopped or cancelled is to be worked on at once, and not with the next tick."""

    def begin(self, order: Order, subject: str = "") -> Applied:
        """Remember when an order was begun and what it is about, so that its repeat means the same."""
        begun = Applied(id=order.id, answer="", at=self.world.now(), subject=subject)
        self.world.store.add([begun])
        return self.world.store.get(Applied, order.id) or begun

    def begun(self, order: Order) -> str:
        """What an order that was begun before is about; empty for a new one."""
        known = self.world.store.get(Applied, order.id)
        return known.subject if known is not None else ""

    def meant(self, order: Order, kind: type[Ordered], name: str, find: Callable[[Store, str], Ordered]) -> Ordered:
        """What the order is about; the same for a repeat, even if the name means another one by then, or none."""
        asked = self.begun(order) or name
        known = self.world.store.get(kind, asked)
        if known is not None and known.ordered_by == order.id:
            return known
        if asked != name and known is None:
            raise NotFound(f"the {kind.__name__.lower()} {name} is gone")
        found = find(self.world.store, asked)
        if found.id != asked:
            self.begin(order, found.id)
        return found

    def finish(self, order: Command, answer: Answer) -> Answer:
        """Store the answer. Of two that apply the same order at once both get the answer of the first."""
        store, text = self.world.store, json.dumps(answer)
        done = Applied(id=order.id, answer=text, at=self.world.now())
        if store.add([done]) == [True]:
            return answer
        known = store.get(Applied, order.id)
        if known is not None and not known.answer:
            store.replace(known, replace(known, version=known.version + 1, answer=text))
            known = store.get(Applied, order.id)
        first: Answer = json.loads(known.answer) if known is not None else answer
        return first

    def check_expiry(self, command: Command) -> None:
        late = self.world.now() - (command.expires_at or self.world.now())
        if late > 0:
            raise InvalidInput([f"{type(command).__name__} came {late:.1f} s after its expires_at; it was not applied"])

    def show(self, experiment: Experiment) -> Answer:
        project, plan = projects.load(self.world.store, experiment.project), self.world.plans.of(experiment.project)
        return views.experiment_view(self.world.store, experiment, project.name, plan.template.filename)

    def one(self, experiment: Experiment) -> Answer:
        return {"experiment": self.show(experiment)}

    def why(self, experiment: Experiment) -> str:
        project = projects.load(self.world.store, experiment.project)
        return Why(self.world.store, self.membership, self.world.now()).of(experiment, project)


def once(handler: Callable[[Who, Given], Answer]) -> Callable[[Who, Given], Answer]:
    """An order whose id was applied before gets its first answer again, a refusal too, and changes nothing.

    The answer is stored after the effect. Should a crash come in between, the effect itself says that it is this
    order's: by `ordered_by` of an experiment or a project, `orders` of the system, the digest of a project.
    """

    @wraps(handler)
    def handle(front: Who, order: Given) -> Answer:
        known = front.world.store.get(Applied, order.id)
        if known is not None and known.answer:
            return raise_for(json.loads(known.answer))
        if known is None:
            front.check_expiry(order)
        try:
            answer = handler(front, order)
        except (NotFound, Refused) as error:
            answer = failure(error)
        return raise_for(front.finish(order, answer))

    return handle


def fresh(handler: Callable[[Who, Given], Answer]) -> Callable[[Who, Given], Answer]:
    """A question that expired is not answered: nobody waits any more."""

    @wraps(handler)
    def handle(front: Who, question: Given) -> Answer:
        front.check_expiry(question)
        return handler(front, question)

    return handle
