"""Whether a definition, its template and its heuristic fit together, and how many experiments they will be."""

from __future__ import annotations

from beagle import plugins
from beagle.project import Definition
from beagle.sentences import meant
from beagle.space import Choice, Parameter
from beagle.template import Template


def check_together(definition: Definition, template: Template) -> list[str]:
    """One sentence for each mistake that neither file shows alone."""
    known = {name for service in template.services for name in service.environment}
    nowhere = f"no service of {template.filename} has it in its environment"
    problems = [
        definition.sentence(f"parameters.{parameter.name}", f"{nowhere}; {meant(parameter.name, known)}")
        for parameter in definition.parameters
        if parameter.name not in known and not _is_of_kafka(parameter)
    ]
    return problems + plugins.heuristic(definition.heuristic).check(definition)


def _is_of_kafka(parameter: Parameter) -> bool:
    """An address that definitions for BeagleML 1.0.0 name, whether their template has it or not. It varies nothing."""
    return parameter.name.startswith("KAFKA_") and isinstance(parameter, Choice) and len(parameter.values) == 1


def planned(definition: Definition) -> int | None:
    """How many experiments there will be; None when only their results will tell. Raises `InvalidInput`."""
    return plugins.heuristic(definition.heuristic)(definition, 0).total
