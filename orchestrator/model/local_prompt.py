"""How a request is put to a small model: short, in an order that keeps its beginning the same, and
with a schema that leaves it no other way than a call or an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from orchestrator.model.local_examples import EXAMPLES, FILES, HINTS, TABLES, Example

Schema = Mapping[str, Any]
Turn = dict[str, str]
"""A message as the chat template takes it: `role` and `content`."""

ANSWER = "answer"
"""Stands among the tools for answering in words."""

_KEPT = (
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "const",
    "anyOf",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
)
"""Keywords of a JSON schema that shape the output; `$ref` is resolved before."""

_HOW = """\
You work with tools. Reply with one JSON object: {"tool": NAME, "arguments": {...}} calls the tool \
that finds out or does what the last request asks; {"tool": "answer"} is for talk only.
Tools:
"""
_ANSWER_LINE = "answer: greetings, thanks, questions about yourself"

_NOW_ANSWER = (
    "Answer the request now, in plain words. Figures, names and units stand in this result or in "
    "the request; add no others."
)
_NOW_SPEAK = "Answer now, in plain words."
_LONG_RESULT = 1_000
"""Characters of a result after which the request is said again: it stands too far above."""
_AGAIN = "Mend the call, or take another tool."

_TODAY = re.compile(r"\n+Today is \d{4}-\d\d-\d\d\.")
"""Left out of a request: told the date, a small model filters every table by it."""

_SKILLS = re.compile(r"\n\nSkills that may help[^\n]*:\n(?:- [^\n]*\n?)+")
"""Left out, too: it takes no steps that a skill could teach it."""

WORDS = r"root ::= [^{` \n] [^\x00]*"
"""Grammar (GBNF) of an answer in words: a small model would go on in JSON after so much of it."""

_CHARS_PER_TOKEN = 3
"""Careful: tables and code take more tokens than prose."""


@dataclass(frozen=True)
class LocalTool:
    """A tool as it is bound."""

    name: str
    description: str
    parameters: Schema

    @classmethod
    def of(cls, bound: Mapping[str, Any]) -> LocalTool:
        """From OpenAI's function format."""
        function = bound["function"]
        parameters: Schema = function.get("parameters") or {"type": "object", "properties": {}}
        name = function["name"]
        return cls(name, function.get("description", ""), _without_knobs(name, parameters))

    def line(self) -> str:
        """E.g. `grep(pattern: string, path?: string): Search the lines of files.`"""
        required = self.parameters.get("required", ())
        arguments = ", ".join(
            f"{name}{'' if name in required else '?'}: {_type(schema)}"
            for name, schema in self.parameters.get("properties", {}).items()
        )
        line = f"{self.name}({arguments}): {' '.join(self.description.split())}"
        return f"{line} For {HINTS[self.name].use}." if self.name in HINTS else line

    def takes(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a call with these arguments could be right."""
        known = self.parameters.get("properties", {})
        return set(self.parameters.get("required", ())) <= set(arguments) <= set(known)


def instructions(tools: Sequence[LocalTool], *, examples: bool = True) -> str:
    """What the system prompt says about tools; the same for every member with the same tools."""
    lines = [_HOW + "\n".join([*(tool.line() for tool in tools), _ANSWER_LINE])]
    shown = [example for example in EXAMPLES if examples and _fits(example, tools)]
    if shown:
        of_tables = any(example.tool == "query_table" for example in shown)
        setting = [FILES, TABLES] if of_tables else [FILES]
        lines.append("\n".join(["Examples.", *setting, *map(_shown, shown)]))
    return "\n\n".join(lines)


def choice_schema(tools: Sequence[LocalTool], *, answer: bool) -> Schema:
    """A call of one of the tools, the tool's name first, or `{"tool": "answer"}`."""
    calls = [
        _object({"tool": {"const": tool.name}, "arguments": output_schema(tool.parameters)})
        for tool in tools
    ]
    if answer:
        calls.append(_object({"tool": {"const": ANSWER}}))
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def output_schema(schema: Schema, definitions: Schema | None = None) -> Schema:
    """The schema with what does not shape the output left out, and closed objects."""
    known: Schema = definitions or schema.get("$defs") or schema.get("definitions") or {}
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[1]
        return output_schema(known[name], known)
    shaped: dict[str, Any] = {}
    for key in _KEPT:
        if key not in schema:
            continue
        value = schema[key]
        if key == "properties":
            value = {name: output_schema(inner, known) for name, inner in value.items()}
        elif key == "items":
            value = output_schema(value, known)
        elif key == "anyOf":
            value = [output_schema(option, known) for option in value]
        shaped[key] = value
    if schema.get("properties") or (schema.get("type") == "object" and not _is_open(schema)):
        shaped["additionalProperties"] = False
    return shaped


@dataclass(frozen=True)
class Choice:
    """What a reply to `choice_schema` says."""

    tool: str
    text: str
    """The arguments as written; no JSON where the reply was cut off."""

    @property
    def arguments(self) -> Mapping[str, Any] | None:
        try:
            return json.loads(self.text)
        except ValueError:
            return None


def parse_choice(text: str) -> Choice:
    try:
        choice = json.loads(text)
    except ValueError:
        tool, _, rest = text.partition('", "arguments": ')
        return Choice(tool.removeprefix('{"tool": "'), rest or "{")
    return Choice(choice["tool"], json.dumps(choice.get("arguments", {}), ensure_ascii=False))


def turns(
    messages: Sequence[BaseMessage], tools: Sequence[LocalTool], *, examples: bool = True
) -> list[Turn]:
    """The messages as the chat template takes them: one system turn, then user and assistant in
    turn. What tells of the tools comes first, since members share it.
    """
    system = [instructions(tools, examples=examples)] if tools else []
    system += [message.text for message in messages if isinstance(message, SystemMessage)]
    made: list[Turn] = []
    if system:
        made.append({"role": "system", "content": "\n\n".join(system)})
    for message in messages:
        if isinstance(message, SystemMessage):
            continue
        role, text = _spoken(message)
        if made and made[-1]["role"] == role:
            made[-1]["content"] += f"\n\n{text}"
        else:
            made.append({"role": role, "content": text})
    return made


def asking_to_choose(made: Sequence[Turn], messages: Sequence[BaseMessage]) -> list[Turn]:
    """The turns with what a failed call needs to be tried again."""
    return _ending(made, _AGAIN if isinstance(messages[-1], ToolMessage) else "")


def asking_to_answer(
    made: Sequence[Turn], messages: Sequence[BaseMessage], *, tools: bool
) -> list[Turn]:
    """The turns with the word that it is time to answer, where tools might have been called."""
    if not tools:
        return list(made)
    results = [message for message in messages[-2:] if isinstance(message, ToolMessage)]
    if not results:
        return _ending(made, _NOW_SPEAK)
    if max(len(result.text) for result in results) < _LONG_RESULT:
        return _ending(made, _NOW_ANSWER)
    return _ending(made, f"{_NOW_ANSWER} The request:\n{_request(messages)}")


def fitted(made: Sequence[Turn], tokens: int) -> list[Turn]:
    """The turns cut down to about that many tokens: the oldest go first, then the middle of the
    longest one. The system prompt and the last turn stay.
    """
    room = tokens * _CHARS_PER_TOKEN
    kept = list(made)
    head = 1 if kept and kept[0]["role"] == "system" else 0
    while _size(kept) > room and len(kept) > head + 3:
        del kept[head : head + 2]
    excess = _size(kept) - room
    if excess > 0:
        longest = max(kept, key=lambda turn: len(turn["content"]))
        shortened = _without_middle(longest["content"], max(len(longest["content"]) - excess, 400))
        kept = [{**turn, "content": shortened} if turn is longest else turn for turn in kept]
    return kept


def _spoken(message: BaseMessage) -> tuple[str, str]:
    if isinstance(message, ToolMessage):
        verb = "failed" if message.status == "error" else "gave"
        return "user", f"{message.name or 'The tool'} {verb}:\n{message.text}"
    if isinstance(message, AIMessage):
        calls = [_call_text(call["name"], call["args"]) for call in message.tool_calls]
        return "assistant", "\n".join(calls or [message.text])
    text = _SKILLS.sub("", _TODAY.sub("", message.text))
    return ("user" if isinstance(message, HumanMessage) else message.type), text


def _request(messages: Sequence[BaseMessage]) -> str:
    """The first paragraph of the last request."""
    requests = (message.text for message in reversed(messages) if isinstance(message, HumanMessage))
    return next(requests, "").strip().split("\n\n")[0]


def _call_text(name: str, arguments: Mapping[str, Any]) -> str:
    return json.dumps({"tool": name, "arguments": arguments}, ensure_ascii=False)


def _without_knobs(tool: str, parameters: Schema) -> Schema:
    """The parameters without optional numbers and flags, which a small model sets at random."""
    required = parameters.get("required", ())
    unset = HINTS[tool].unset if tool in HINTS else ()
    kept = {
        name: schema
        for name, schema in parameters.get("properties", {}).items()
        if name in required
        or (name not in unset and schema.get("type") not in ("integer", "number", "boolean"))
    }
    return {**parameters, "properties": kept}


def _shown(example: Example) -> str:
    if example.tool is None:
        return f'{example.request}\n{{"tool": "{ANSWER}"}}'
    return f"{example.request}\n{_call_text(example.tool, example.arguments)}"


def _fits(example: Example, tools: Sequence[LocalTool]) -> bool:
    if example.tool is None:
        return True
    return any(tool.name == example.tool and tool.takes(example.arguments) for tool in tools)


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return "|".join(json.dumps(value) for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"[{_type(schema.get('items', {}))}]"
    return str(kind)


def _object(properties: Mapping[str, Any]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _is_open(schema: Schema) -> bool:
    """Whether an object may hold anything, such as the arguments of a tool named elsewhere."""
    return schema.get("additionalProperties") not in (None, False) or "properties" not in schema


def _ending(made: Sequence[Turn], text: str) -> list[Turn]:
    if not text:
        return list(made)
    last = made[-1]
    return [*made[:-1], {**last, "content": f"{last['content']}\n\n{text}"}]


def _size(made: Sequence[Turn]) -> int:
    return sum(len(turn["content"]) for turn in made)


def _without_middle(text: str, most: int) -> str:
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
