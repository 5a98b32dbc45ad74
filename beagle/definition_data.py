"""A project definition as data, in the words of its file: what is read from it again is the same definition."""

from __future__ import annotations

from typing import assert_never

from pydantic import JsonValue

from beagle.project import Definition
from beagle.space import Choice, Float, Int, Layers, Lineal, Parameter

Data = dict[str, JsonValue]


def as_data(definition: Definition) -> Data:
    """Every field that has a value, whether it was written or is the default."""
    optimization: Data = {
        **definition.settings,
        "type": definition.heuristic,
        "objective_function": definition.objective,
        "objectiveResult": definition.direction,
        "summary": definition.summary,
        "seed": definition.seed,
    }
    data: Data = {
        "name": definition.name,
        "template": definition.template,
        "optimization": optimization | _known(total_n_experiments=definition.total),
        "parameters": [_parameter(parameter) for parameter in definition.parameters],
        "retries": {failure.value: count for failure, count in definition.retries.items()},
        "pause_after_failures": definition.pause_after_failures,
    }
    limits = _known(experiment_timeout=definition.timeout, experiment_accuracy_limit=definition.accuracy_limit)
    return data | limits


def _known(**fields: JsonValue) -> Data:
    return {name: value for name, value in fields.items() if value is not None}


def _parameter(parameter: Parameter) -> Data:
    match parameter:
        case Choice(name=name, values=values):
            return {"name": name, "type": "absolute", "value": list(values)}
        case Lineal(name=name, initial=first, final=last, interval=step):
            value: Data = {"initial_value": first, "final_value": last, "interval": step}
            return {"name": name, "type": "lineal", "value": value}
        case Layers(name=name, lengths=lengths, units=units):
            layers: Data = {"number_layers": list(lengths), "number_units": list(units)}
            return {"name": name, "type": "layers", "value": layers}
        case Float() | Int():
            bounds: Data = {"type": parameter.kind, "min": parameter.low, "max": parameter.high, "log": parameter.log}
            return {"name": parameter.name, **bounds, **_known(step=parameter.step)}
        case _:
            assert_never(parameter)
