"""The files that newcomers see, the example and those in the documentation, are ones that Beagle reads."""

import re
from pathlib import Path

import pytest

from beagle.check import check_together, planned
from beagle.definition_file import read_project
from beagle.metric_lines import read_line
from beagle.template_file import read_template

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/project.md")


def blocks(page: str, beginning: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(rf"```yaml\n((?:#[^\n]*\n)?{beginning}.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_project_and_the_template_of_a_page_fit_together(page):
    (project,), (template,) = blocks(page, "name:"), blocks(page, "services:")
    (definition,) = read_project(project, page)
    assert check_together(definition, read_template(template, page, str(ROOT))) == []
    assert planned(definition) == 50


def test_the_example_has_as_many_experiments_as_it_says():
    folder = ROOT / "examples" / "digits"
    text = (folder / "project.yml").read_text()
    (definition,) = read_project(text, "project.yml")
    template = read_template((folder / definition.template).read_text(), definition.template, str(folder))
    assert check_together(definition, template) == []
    assert planned(definition) == 12
    assert text.startswith("# Twelve ways")


def test_every_line_that_the_page_on_metrics_shows_is_read():
    text = (ROOT / "docs" / "metrics.md").read_text()
    forms = re.findall(r"^\| (`.*?`) \|", text.partition("| line |")[2].partition("\n\n")[0], re.MULTILINE)
    lines = [line for form in forms for line in re.findall(r"`(.*?)`", form)]
    assert len(lines) == 7
    assert all(read_line(line.replace("⇥", "\t"), len(line)) for line in lines)
