"""The script of a rehearsal: a YAML list of lines, each said once by one profile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from orchestrator.errors import ConfigError, Problem, nearest


class ScriptedCall(BaseModel):
    """A tool call; strings in the arguments may use `{{ tool }}` and `{{ match }}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])


class Line(BaseModel):
    """One entry of the script: who says what when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    match: re.Pattern[str] | None = None
    """Regular expression looked for, whatever the case, in what was said to the profile since it
    last spoke; absent: anything.
    """
    say: str = ""
    calls: tuple[ScriptedCall, ...] = ()
    repeat: bool = False
    """Said as often as it fits, not just once."""

    @field_validator("match", mode="before")
    @classmethod
    def _ignore_case(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return re.compile(value, re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.say and not self.calls:
            raise ValueError("needs `say` or `calls`")
        return self

    def fits(self, profile: str, heard: str) -> bool:
        return self.profile == profile and (self.match is None or bool(self.match.search(heard)))

    def groups(self, heard: str) -> Sequence[str]:
        """What the groups of `match` catch; all it matches where it has none."""
        found = self.match.search(heard) if self.match else None
        return [text or "" for text in found.groups() or (found[0],)] if found else []


def read_script(file: Path) -> Sequence[Line]:
    """The lines in their order; raises ConfigError with every problem found."""
    try:
        text = file.read_text(encoding="utf-8")
        loader: Any = yaml.SafeLoader(text)
        root = loader.get_single_node()
    except OSError as error:
        raise _refused(file, None, f"cannot be read: {error.strerror}", "check the path") from error
    except UnicodeDecodeError as error:
        raise _refused(file, None, "is not text", "save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _refused(file, line, f"is not YAML: {error.problem}", "") from error
    except yaml.YAMLError as error:
        raise _refused(file, None, f"is not YAML: {error}", "") from error
    if not isinstance(root, yaml.SequenceNode):
        raise _refused(file, 1, "is not a list", "write entries that begin with `- profile: NAME`")
    lines: list[Line] = []
    problems: list[Problem] = []
    for index, node in enumerate(cast("list[yaml.Node]", root.value)):
        try:
            lines.append(Line.model_validate(loader.construct_document(node)))
        except ValidationError as error:
            problems += _problems(file, index, node, error)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else _line(node)
            problems += _refused(file, line, f"is not YAML: {error.problem}", "").problems
    if problems:
        raise ConfigError(problems)
    return lines


def _problems(file: Path, index: int, node: yaml.Node, error: ValidationError) -> Iterator[Problem]:
    for found in error.errors():
        path = [str(part) for part in found["loc"]]
        key, hint = ".".join([str(index), *path]), ""
        if found["type"] == "extra_forbidden":
            model = ScriptedCall if "calls" in path else Line
            known = nearest(path[-1], model.model_fields)
            hint = f"did you mean {known[0]!r}?" if known else "remove it"
        message = found["msg"].removeprefix("Value error, ")
        yield Problem(
            str(file), _line(node, found["loc"]), key, message[0].lower() + message[1:], hint
        )


def _line(node: yaml.Node, path: Sequence[int | str] = ()) -> int:
    """Where the value at `path` stands, or the last part of the path that is there; 1-based."""
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
            inner = next((value for key, value in pairs if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            inner = cast("list[yaml.Node]", node.value)[part]
        else:
            inner = None
        if inner is None:
            break
        node = inner
    return node.start_mark.line + 1


def _refused(file: Path, line: int | None, problem: str, hint: str) -> ConfigError:
    return ConfigError([Problem(str(file), line, "", problem, hint)])
