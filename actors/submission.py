"""What a submitted pair of files becomes: projects in the store, each the same one however often it is submitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from beagle import projects
from beagle.check import check_together, planned
from beagle.commands import SubmitProject
from beagle.definition_file import read_project
from beagle.errors import InvalidInput, Refused
from beagle.messages import new_id
from beagle.ports import Store
from beagle.project import Definition
from beagle.records import Plan, Project, ProjectState
from beagle.template import Template
from beagle.template_file import read_template


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Read and checked, nothing stored yet."""

    wanted: Sequence[tuple[Definition, Template]]
    source: str
    anew: bool

    @classmethod
    def read(
        cls,
        order: SubmitProject,
        check_template: Callable[[Template], list[str]],
        uploaded: Callable[[str], Template],
    ) -> Submission:
        """Raises `InvalidInput` with every mistake of both files. Without a template each project names its own."""
        definitions = read_project(order.definition, order.definition_name)
        if order.template is None:
            wanted = [(definition, uploaded(definition.template)) for definition in definitions]
        else:
            template = read_template(order.template, order.template_name, order.folder)
            wanted = [(definition, template) for definition in definitions]
        problems: list[str] = []
        for filename in dict.fromkeys(template.filename for _, template in wanted):
            problems += check_template(next(template for _, template in wanted if template.filename == filename))
        for definition, template in wanted:
            problems += check_together(definition, template)
        if problems:
            raise InvalidInput(problems)
        return cls(wanted=wanted, source=order.source, anew=order.anew)

    def store(self, store: Store, now: float) -> tuple[list[Project], bool]:
        """The projects, and whether all of them were known. What was known and paused is resumed."""
        stored = [self._one(store, definition, template, now) for definition, template in self.wanted]
        if self.source:
            self._replace_older(store, [project for project, _ in stored])
        return [project for project, _ in stored], all(known for _, known in stored)

    def _one(self, store: Store, definition: Definition, template: Template, now: float) -> tuple[Project, bool]:
        digest = projects.digest(definition, template)
        known = store.page(Project, "digest", (digest,), limit=1, descending=True).records
        if known and not (self.anew and known[0].state in projects.OVER):
            return self._taken_up(store, known[0]), True
        project = Project(
            id=new_id(),
            name=definition.name,
            digest=digest,
            source=self.source,
            objective=definition.objective,
            direction=definition.direction,
            pause_after_failures=definition.pause_after_failures,
            created_at=now,
            planned=planned(definition),
        )
        projects.create(store, project, Plan(id=project.id, definition=definition, template=template))
        return project, False

    @staticmethod
    def _taken_up(store: Store, project: Project) -> Project:
        if project.state is ProjectState.PAUSED:
            return projects.resume(store, project, store.counts(project.id))
        return project

    def _replace_older(self, store: Store, current: Sequence[Project]) -> None:
        """An unfinished project of the same file would go on beside the one that the file describes now."""
        ids = {project.id for project in current}
        older = store.page(Project, "source", (self.source, ProjectState.RUNNING), limit=100).records
        for project in older:
            if project.id not in ids:
                try:
                    projects.pause(store, project, "its file describes another project by now")
                except Refused:
                    continue
