"""Orders to a project: submit, pause, resume, stop, cancel, delete; and the uploads of model templates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors import views
from actors.orders.finding import find_project
from actors.orders.system import SystemOrders
from actors.submission import Submission
from beagle import models, projects
from beagle.commands import (
    CancelProject,
    CheckTemplate,
    DeleteProject,
    PauseProject,
    ResumeProject,
    StopProject,
    SubmitProject,
    UploadTemplate,
)
from beagle.errors import InvalidInput
from beagle.message import Answer
from beagle.messages import FillPlaces, ProjectChanged
from beagle.records import Model, Project
from beagle.template import Template

ProjectOrder = PauseProject | ResumeProject | StopProject | CancelProject | DeleteProject


class ProjectOrders(SystemOrders):
    def upload_template(self, order: UploadTemplate) -> Answer:
        model = models.store_model(self.world.store, self._read(order))
        return {"template": views.model_view(model)}

    def check_upload(self, question: CheckTemplate) -> Answer:
        return {"template": {**views.model_view(self._read(question)), "text": question.text}}

    def _read(self, upload: UploadTemplate | CheckTemplate) -> Model:
        model = models.read_model(upload.filename, upload.text, upload.folder, self.world.now())
        if problems := self.check_template(model.template):
            raise InvalidInput(problems)
        return model

    def submit_project(self, order: SubmitProject) -> Answer:
        store = self.world.store
        submission = Submission.read(order, self.check_template, partial(self._uploaded, order))
        stored, known = submission.store(store, self.world.now())
        for project in stored:
            self.nudge(ProjectChanged(project=project.id, event="resumed" if known else "created"))
        self.nudge(FillPlaces())
        return {"projects": [views.project_view(store, p) for p in stored], "taken_up": known}

    def _uploaded(self, order: SubmitProject, template: str) -> Template:
        return models.named_by(self.world.store, order.definition_name, template).template

    def pause_project(self, order: PauseProject) -> Answer:
        return self._change(order, "paused", lambda p: projects.pause(self.world.store, p, order.reason, order.id))

    def resume_project(self, order: ResumeProject) -> Answer:
        store = self.world.store
        answer = self._change(order, "resumed", lambda p: projects.resume(store, p, store.counts(p.id), order.id))
        self.nudge(FillPlaces())
        return answer

    def stop_project(self, order: StopProject) -> Answer:
        return self._change(order, "stopping", lambda p: projects.stop(self.world.store, p, order.id))

    def cancel_project(self, order: CancelProject) -> Answer:
        return self._change(order, "cancelling", lambda p: projects.cancel(self.world.store, p, order.id))

    def delete_project(self, order: DeleteProject) -> Answer:
        return self._change(order, "deleted", lambda p: projects.delete(self.world.store, p, order.id))

    def _change(self, order: ProjectOrder, event: str, change: Callable[[Project], Project]) -> Answer:
        store = self.world.store
        project = self.meant(order, Project, order.project, find_project)
        if project.ordered_by != order.id:
            project = change(project)
        self.nudge(ProjectChanged(project=project.id, event=event, reason=project.reason))  # type: ignore[arg-type]
        self.sweep_soon()
        return {"project": views.project_view(store, project)}
