"""Takes the orders and questions of front ends and of the command line: the table of what answers each.

What each does is in `actors/orders/`, by what it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

import pykka

from actors.base import Handlers, World
from actors.orders.dead import DeadLetterOrders
from actors.orders.experiments import ExperimentOrders
from actors.orders.front import fresh, once
from actors.orders.projects import ProjectOrders
from actors.orders.questions import Questions
from actors.orders.sites import SiteOrders
from actors.orders.sweep import Means, Sweep
from actors.orders.system import SystemOrders
from beagle import system
from beagle.commands import (
    CancelProject,
    CheckProject,
    CheckTemplate,
    ClearQueue,
    DeleteExperiment,
    DeleteProject,
    ExplainExperiment,
    ForgetSite,
    ListBest,
    ListEndings,
    ListExperiments,
    ListMetrics,
    ListPool,
    ListProjects,
    ListQueue,
    ListTemplates,
    PauseProject,
    PauseSystem,
    PrioritiseExperiment,
    ReadLog,
    RequeuePool,
    ResetSystem,
    ResumeProject,
    RetryExperiment,
    SetLimit,
    ShowExperiment,
    ShowProject,
    ShowSystem,
    ShowTemplate,
    StartSystem,
    StopExperiment,
    StopProject,
    SubmitProject,
    UploadTemplate,
)
from beagle.commands_dead import DropDeadLetter, ListDeadLetters, ReplayDeadLetter, ShowDeadLetter
from beagle.template import Template


class _Sweep:
    """There is something to remove or to wind up."""


class Gateway(Questions, SiteOrders):
    """Any number of them, killed at any moment: what one has begun another finishes."""

    # Longer than any process sleeps that is not given up for dead.
    quiet = 15.0

    kind = "gateway"
    # What waits behind a slow question (a log of a site that does not answer) is another gateway's to take.
    prefetch = 1

    def __init__(self, world: World, queues: tuple[str, ...], check_template: Callable[[Template], list[str]]) -> None:
        super().__init__(world, queues, check_template)
        self._sweep = Sweep(Means(world=world, announce=self.announce, nudge=self.nudge, quiet=self.quiet))
        self._sweeping = False

    def reconcile(self) -> None:
        """Finish a pause or a reset: whoever began it, or claimed meanwhile, may have died in the middle of it."""
        if not system.load(self.world.store).running:
            self.empty_pool()
        self.finish_reset()
        self._step()

    def sweep_soon(self) -> None:
        if not self._sweeping:
            with suppress(pykka.ActorDeadError):  # it ends: the next tick of another, or of the next one, sweeps
                self.actor_ref.tell(_Sweep())
                self._sweeping = True

    def on_told(self, message: object) -> None:
        if isinstance(message, _Sweep):
            self._sweeping = False
            self._step()

    def _step(self) -> None:
        if self._sweep.step():
            self.sweep_soon()

    handles: ClassVar[Handlers] = {
        StartSystem: once(SystemOrders.start_system),
        PauseSystem: once(SystemOrders.pause_system),
        SetLimit: once(SystemOrders.set_limit),
        ResetSystem: once(SystemOrders.reset_system),
        ForgetSite: once(SiteOrders.forget_site),
        ClearQueue: once(SystemOrders.clear_queue),
        RequeuePool: once(SystemOrders.requeue_pool),
        UploadTemplate: once(ProjectOrders.upload_template),
        SubmitProject: once(ProjectOrders.submit_project),
        PauseProject: once(ProjectOrders.pause_project),
        ResumeProject: once(ProjectOrders.resume_project),
        StopProject: once(ProjectOrders.stop_project),
        CancelProject: once(ProjectOrders.cancel_project),
        DeleteProject: once(ProjectOrders.delete_project),
        StopExperiment: once(ExperimentOrders.stop_experiment),
        RetryExperiment: once(ExperimentOrders.retry_experiment),
        PrioritiseExperiment: once(ExperimentOrders.prioritise_experiment),
        DeleteExperiment: once(ExperimentOrders.delete_experiment),
        ReplayDeadLetter: once(DeadLetterOrders.replay_dead_letter),
        DropDeadLetter: once(DeadLetterOrders.drop_dead_letter),
        ListDeadLetters: fresh(DeadLetterOrders.list_dead_letters),
        ShowDeadLetter: fresh(DeadLetterOrders.show_dead_letter),
        ShowSystem: fresh(Questions.show_system),
        CheckTemplate: fresh(Questions.check_upload),
        ListTemplates: fresh(Questions.list_templates),
        ShowTemplate: fresh(Questions.show_template),
        CheckProject: fresh(Questions.check_project),
        ListProjects: fresh(Questions.list_projects),
        ShowProject: fresh(Questions.show_project),
        ListExperiments: fresh(Questions.list_experiments),
        ListEndings: fresh(Questions.list_endings),
        ListBest: fresh(Questions.list_best),
        ListQueue: fresh(Questions.list_queue),
        ListPool: fresh(Questions.list_pool),
        ShowExperiment: fresh(Questions.show_experiment),
        ExplainExperiment: fresh(Questions.explain_experiment),
        ListMetrics: fresh(Questions.list_metrics),
        ReadLog: fresh(Questions.read_log),
    }
