"""From what pydantic found wrong to problems a person can mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from orchestrator.errors import Problem, nearest
from orchestrator.text.yaml_file import Document, Loc

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

MOST = 100
"""Problems that are told of one thing; a file made by accident has more than anyone would read."""

NAME_HINT = "use 1 to 63 lower-case letters, digits, - and _"


def checked(
    model: type[M], value: object, document: Document, problems: list[Problem], at: Loc = ()
) -> M | None:
    """`value`, which stands at `at` in the document, as that model; None when `problems` grew."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        for details in found[:MOST]:
            problem, hint = _say(details, model)
            problems.append(document.problem((*at, *details["loc"]), problem, hint))
        if more := found[MOST:]:
            problems.append(document.problem(at, f"has {len(more):,} more", "mend these first"))
        return None


def salvaged(model: type[M], value: object, needed: Mapping[str, Any]) -> M | None:
    """What is left of a broken value without its wrong keys, to look for problems in the rest;
    `needed` stands in for keys that must be there. None when nothing can be made of it.
    """
    if not isinstance(value, dict):
        return None
    rest = cast("dict[str, Any]", value)
    try:
        return model.model_validate(rest)
    except ValidationError as error:
        if error.error_count() > MOST:
            return None
        for details in error.errors(include_url=False):
            rest = _without(rest, details["loc"])
    try:
        return model.model_validate({**needed, **rest})
    except ValidationError:
        return None


def _without(value: dict[str, Any], loc: Loc) -> dict[str, Any]:
    """A copy without the deepest key on the way to `loc`; lists go as a whole, so that positions
    stay what they are.
    """
    if not loc:
        return value
    key, below = str(loc[0]), loc[1:]
    rest = {name: part for name, part in value.items() if name != key}
    part = value.get(key)
    if below and isinstance(part, dict) and below[0] in part:
        rest[key] = _without(cast("dict[str, Any]", part), below)
    return rest


def did_you_mean(name: str, known: Sequence[str], what: str) -> str:
    """A hint: the nearest of the known names, or all of them."""
    near = nearest(name, known) or nearest(name.lower(), known)
    if near:
        return "did you mean " + " or ".join(repr(one) for one in near) + "?"
    return f"{what}: {', '.join(known)}" if known else f"there are no {what}"


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _say(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    loc = details["loc"]
    if details["type"] == "extra_forbidden":
        known = _keys(model, loc[:-1])
        return "unknown key", did_you_mean(str(loc[-1]), known, "keys here")
    if details["input"] is None:
        return "is empty", "give a value, or take it out"
    say = _SAYINGS.get(details["type"])
    if say is None:
        return f"{details['msg']}, not {shown(details['input'])}", "correct it"
    return say(details["input"], details.get("ctx", {}))


def _keys(model: type[BaseModel], loc: Loc) -> Sequence[str]:
    """The keys a mapping at `loc` may have."""
    kind: Any = model
    for step in loc:
        kind = _inner(kind, step)
    return list(kind.model_fields) if _is_model(kind) else []


def _inner(kind: Any, step: str | int) -> Any:
    if _is_model(kind):
        field = kind.model_fields.get(step)
        return None if field is None else _bare(field.annotation)
    arguments = get_args(kind)
    return _bare(arguments[0 if isinstance(step, int) else -1]) if arguments else None


def _bare(kind: Any) -> Any:
    """`X` of `X | None`; anything else as it is."""
    if get_origin(kind) in (tuple, list, dict, Mapping) or not get_args(kind):
        return kind
    return next((one for one in get_args(kind) if _is_model(one)), get_args(kind)[0])


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


_Saying = Callable[[Any, Mapping[str, Any]], "tuple[str, str]"]


def _text(value: Any, _: Mapping[str, Any]) -> tuple[str, str]:
    plain = value is None or isinstance(value, bool | int | float)
    hint = "put it in quotes" if plain and value is not None else "write text"
    return f"must be text, not {shown(value)}", hint


def _whole_number(value: Any, _: Mapping[str, Any]) -> tuple[str, str]:
    return f"must be a whole number, not {shown(value)}", "write it in digits, without a unit"


def _number(value: Any, _: Mapping[str, Any]) -> tuple[str, str]:
    return f"must be a number, not {shown(value)}", "write it in digits, without a unit"


def _list(value: Any, _: Mapping[str, Any]) -> tuple[str, str]:
    return f"must be a list, not {shown(value)}", "write [a, b], or one line `- …` for each"


def _mapping(value: Any, _: Mapping[str, Any]) -> tuple[str, str]:
    return f"must hold `key: value` lines, not {shown(value)}", "indent the keys below it"


def _choice(value: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    return f"must be {context['expected']}, not {shown(value)}", "choose one"


def _name(value: Any, _: Mapping[str, Any]) -> tuple[str, str]:
    return f"{shown(value)} is no name", NAME_HINT


def _own(_: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    """One of our validators, which write `problem; hint`."""
    problem, _, hint = str(context["error"]).partition("; ")
    return problem, hint


def _bound(words: str, key: str) -> _Saying:
    return lambda value, context: (
        f"must be {words} {context[key]}, not {shown(value)}",
        "change it",
    )


def _always(problem: str, hint: str) -> _Saying:
    return lambda _value, _context: (problem, hint)


_SAYINGS: Mapping[str, _Saying] = {
    "missing": _always("is missing", "add it"),
    "string_type": _text,
    "string_too_short": _always("is empty", "write something"),
    "string_pattern_mismatch": _name,
    "int_type": _whole_number,
    "int_parsing": _whole_number,
    "int_from_float": _whole_number,
    "float_type": _number,
    "float_parsing": _number,
    "decimal_type": _number,
    "decimal_parsing": _number,
    "finite_number": _number,
    "tuple_type": _list,
    "list_type": _list,
    "too_short": _always("is empty", "give at least one"),
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "mapping_type": _mapping,
    "dict_type": _mapping,
    "literal_error": _choice,
    "value_error": _own,
    "greater_than_equal": _bound("at least", "ge"),
    "greater_than": _bound("more than", "gt"),
    "less_than_equal": _bound("at most", "le"),
}
"""Problem and hint for each of pydantic's error types that our models can give."""
