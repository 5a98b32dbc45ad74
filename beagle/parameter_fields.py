"""Reads the parameters of a project definition: the types of the original, and the field's own words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator

from beagle.experiment import Value
from beagle.fields import F, Fields, Reader, Text
from beagle.plain import Data, Place
from beagle.sentences import meant, shown
from beagle.space import Choice, Float, Int, Layers, Lineal, Number, Parameter, as_text

MOST_LAYERS = 100
_BOUNDS = {"low": "min", "high": "max"}
_FILLED_IN = frozenset({"NAME", "ROOT_TOPIC", "METRICS_TOPIC"})
_WHOLE = 2**63
_BOUND = "a finite number"


def _number(written: object) -> Number:
    if isinstance(written, bool) or not isinstance(written, int | float) or not _storable(written):
        raise ValueError(written)
    return written


def _storable(value: Value) -> bool:
    if isinstance(value, str):
        return "\x00" not in value
    return -_WHOLE < value < _WHOLE if isinstance(value, int) else math.isfinite(value)


Whole = Annotated[int, Field(gt=-_WHOLE, lt=_WHOLE)]
AsWritten = Annotated[Number, PlainValidator(_number)]
Positive = Annotated[int, Field(ge=1, lt=_WHOLE)]


class _Named(Fields):
    name: Text = Field(description="the name of an environment variable of the template")
    type: str


class _Choice(_Named):
    synonyms: ClassVar[dict[str, str]] = {"value": "values"}
    values: list[object] = Field(min_length=1, description="a list of values, such as [4, 1]")


class _Lineal(_Named):
    value: dict[str, object] = Field(description="a mapping with initial_value, final_value, interval")


class _LinealValue(Fields):
    initial_value: AsWritten = Field(description=_BOUND)
    final_value: AsWritten = Field(description=_BOUND)
    interval: AsWritten = Field(description="a finite number other than 0")


class _Layers(_Named):
    value: dict[str, object] = Field(description="a mapping with number_layers, number_units")


class _LayersValue(Fields):
    number_layers: list[Annotated[int, Field(ge=1, le=MOST_LAYERS)]] = Field(
        min_length=1, description=f"a list of whole numbers from 1 to {MOST_LAYERS}, such as [1, 2]"
    )
    number_units: list[Positive] = Field(min_length=1, description="a list of whole numbers above 0, such as [20, 50]")


class _Float(_Named):
    synonyms: ClassVar[dict[str, str]] = _BOUNDS
    min: float = Field(description=_BOUND)
    max: float = Field(description=_BOUND)
    log: bool = Field(default=False, description="true or false")
    step: float | None = Field(default=None, gt=0, description="a number above 0")


class _Int(_Named):
    synonyms: ClassVar[dict[str, str]] = _BOUNDS
    min: Whole = Field(description="a whole number")
    max: Whole = Field(description="a whole number")
    log: bool = Field(default=False, description="true or false")
    step: Positive = Field(default=1, description="a whole number above 0")


def read_parameters(reader: Reader, place: Place, items: list[Data]) -> tuple[Parameter, ...]:
    """Those that could be read; mistakes are told to `reader`."""
    if all(_is_idle(item) for item in items):
        reader.wrong(place, "has nothing to try; name at least one parameter")
    found: dict[str, Parameter] = {}
    for index, item in enumerate(items):
        at = (*place, index)
        if _is_idle(item):
            continue
        parameter = _parameter(reader, at, item)
        if parameter is None:
            continue
        if parameter.name in found:
            reader.wrong((*at, "name"), f"{parameter.name} was named before; keep one of them")
        found[parameter.name] = parameter
    return tuple(found.values())


def _is_idle(item: Data) -> bool:
    """One value for what is filled in anyway: the original's examples have such, and it filled them in as well."""
    if not isinstance(item, dict) or item.get("name") not in _FILLED_IN:
        return False
    values = item.get("value", item.get("values"))
    return _TYPES.get(str(item.get("type"))) is _choice and isinstance(values, list) and len(values) == 1


def _parameter(reader: Reader, at: Place, item: Data) -> Parameter | None:
    fields = reader.mapping(at, item, "name, type and its values")
    if fields is None:
        return None
    _check_name(reader, at, fields.get("name"))
    given = fields.get("type")
    read = _TYPES.get(given) if isinstance(given, str) else None
    if read is not None:
        return read(reader, at, fields)
    if "type" not in fields:
        reader.wrong((*at, "type"), f"is missing; give one of {', '.join(_TYPES)}")
    else:
        reader.wrong((*at, "type"), f"is {shown(given)}, which is no type; {meant(str(given), _TYPES)}")
    return None


def _check_name(reader: Reader, at: Place, name: Data) -> None:
    if not isinstance(name, str):
        return
    if "=" in name or any(letter.isspace() for letter in name):
        reader.wrong((*at, "name"), f"{name!r} cannot name an environment variable; leave out spaces and `=`")
    if name in _FILLED_IN or name.startswith("BEAGLE_"):
        reader.wrong((*at, "name"), f"{name} is filled in by Beagle; choose another name")


def _choice(reader: Reader, at: Place, fields: dict[str, Data]) -> Parameter | None:
    read = reader.take(_Choice, at, fields)
    if read is None:
        return None
    place = (*at, "values" if "values" in fields else "value")
    values: dict[str, Value] = {}
    for index, value in enumerate(read.values):
        if not isinstance(value, str | int | float) or not _storable(value):
            reader.wrong((*place, index), f"is {shown(value)}; give text, a finite number, true or false")
        elif as_text(value) in values:
            reader.wrong((*place, index), f"{shown(value)} is listed twice; keep one of them")
        else:
            values[as_text(value)] = value
    return Choice(name=read.name, values=tuple(values.values()))


def _lineal(reader: Reader, at: Place, fields: dict[str, Data]) -> Parameter | None:
    read = reader.take(_Lineal, at, fields)
    value = _value(reader, _LinealValue, at, fields)
    if read is None or value is None:
        return None
    first, last, step = value.initial_value, value.final_value, value.interval
    if not _leads(first, last, step):
        what = f"interval {step!r} does not lead from {first!r} to {last!r}"
        advice = "final_value itself is excluded, give another" if first == last else "give one that does"
        reader.wrong((*at, "value", "interval"), f"{what}; {advice}")
        return None
    return Lineal(name=read.name, initial=first, final=last, interval=step)


def _value(reader: Reader, model: type[F], at: Place, fields: dict[str, Data]) -> F | None:
    """Read even where the fields around it are wrong, so that all mistakes are told."""
    value = fields.get("value")
    return reader.take(model, (*at, "value"), value) if isinstance(value, dict) else None


def _leads(first: Number, last: Number, step: Number) -> bool:
    return step > 0 if first < last else step < 0 if first > last else False


def _layers(reader: Reader, at: Place, fields: dict[str, Data]) -> Parameter | None:
    read = reader.take(_Layers, at, fields)
    value = _value(reader, _LayersValue, at, fields)
    if read is None or value is None:
        return None
    for name, numbers in (("number_layers", value.number_layers), ("number_units", value.number_units)):
        if len(set(numbers)) < len(numbers):
            reader.wrong((*at, "value", name), "lists a number twice; keep one of them")
    return Layers(name=read.name, lengths=tuple(value.number_layers), units=tuple(value.number_units))


def _float(reader: Reader, at: Place, fields: dict[str, Data]) -> Parameter | None:
    read = reader.take(_Float, at, fields)
    if read is None:
        return None
    _check_range(reader, at, read)
    if read.log and read.step is not None:
        reader.wrong((*at, "step"), "excludes log; keep one of them")
    return Float(name=read.name, low=read.min, high=read.max, log=read.log, step=read.step)


def _int(reader: Reader, at: Place, fields: dict[str, Data]) -> Parameter | None:
    read = reader.take(_Int, at, fields)
    if read is None:
        return None
    _check_range(reader, at, read)
    if read.log and read.step != 1:
        reader.wrong((*at, "step"), "excludes log; keep one of them")
    return Int(name=read.name, low=read.min, high=read.max, log=read.log, step=read.step)


def _check_range(reader: Reader, at: Place, read: _Float | _Int) -> None:
    if read.min > read.max:
        reader.wrong(at, f"min {read.min!r} is above max {read.max!r}; exchange them")
    if read.log and read.min <= 0:
        reader.wrong(at, f"min is {read.min!r}, which has no logarithm; give a min above 0, or log: false")


_TYPES: dict[str, Callable[[Reader, Place, dict[str, Data]], Parameter | None]] = {
    "absolute": _choice,
    "categorical": _choice,
    "lineal": _lineal,
    "layers": _layers,
    "float": _float,
    "int": _int,
}
