"""The two files of a run, read and checked; `beagle check` and `beagle run` find the same mistakes in them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beagle import plugins
from beagle.check import check_together
from beagle.commands import SubmitProject
from beagle.definition_file import read_project
from beagle.documents import read, read_text
from beagle.errors import InvalidInput
from beagle.project import Definition
from beagle.settings import Settings
from beagle.template import Template
from beagle.template_file import read_template


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFiles:
    """Free of mistakes."""

    project: Path
    project_text: str
    template_file: Path
    template_text: str
    definitions: Sequence[Definition]
    template: Template

    def submission(self, *, anew: bool) -> SubmitProject:
        return SubmitProject(
            definition=self.project_text,
            definition_name=str(self.project),
            template=self.template_text,
            template_name=str(self.template_file),
            folder=str(self.template_file.absolute().parent),
            source=str(self.project.absolute()),
            anew=anew,
        )


def read_files(project: Path, template: Path | None, settings: Settings) -> ProjectFiles:
    """Raises `InvalidInput` with all mistakes of both files. Writes nothing but a temporary folder for the check."""
    problems: list[str] = []
    text = read_text(project)
    definitions: list[Definition] = []
    file = template
    try:
        definitions = read_project(text, str(project))
        file = file or _named(project, definitions)
    except InvalidInput as error:
        problems += error.problems
        file = file or _guessed(project, text)
    if file is None:
        raise InvalidInput(problems)
    try:
        template_text = read_text(file)
        known = read_template(template_text, str(file), str(file.absolute().parent))
    except InvalidInput as error:
        raise InvalidInput([*problems, *error.problems]) from error
    for definition in definitions:
        problems += check_together(definition, known)
    problems += _unfit(known, settings)
    if problems:
        raise InvalidInput(problems)
    return ProjectFiles(
        project=project,
        project_text=text,
        template_file=file,
        template_text=template_text,
        definitions=definitions,
        template=known,
    )


def _named(project: Path, definitions: Sequence[Definition]) -> Path:
    """The template that the project names, beside it."""
    names = sorted({definition.template for definition in definitions})
    if len(names) > 1:
        raise InvalidInput(
            [f"{project}: its projects name {len(names)} templates ({', '.join(names)}); give each a file of its own"]
        )
    file = project.parent / names[0]
    if not file.exists():
        what = f"there is no file {names[0]} beside the project; correct the name, or give one with --template"
        raise InvalidInput([definitions[0].sentence("template", what)])
    return file


def _guessed(project: Path, text: str) -> Path | None:
    """The template of a project file that has mistakes, so that those of the template are told with them."""
    try:
        data = read(text, str(project)).data
    except InvalidInput:
        return None
    name = data.get("template") if isinstance(data, dict) else None
    file = project.parent / name if isinstance(name, str) and name else None
    return file if file is not None and file.is_file() else None


def _unfit(template: Template, settings: Settings) -> list[str]:
    """Why its orchestrator cannot run it. Apart, the gateway says so: experiments do not run on this machine."""
    if settings.remote:
        return []
    with tempfile.TemporaryDirectory(prefix="beagle-check-") as scratch:
        checking = plugins.made(Path(scratch), settings)
        try:
            return plugins.refusals(template, settings) + checking.check(template)
        finally:
            checking.close()
