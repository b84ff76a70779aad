"""A skill from what was done: the steps as they worked, in words a model may improve."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.errors import RetinueError
from orchestrator.index import content_words
from orchestrator.skill import specification
from orchestrator.skill.document import SkillDocument
from orchestrator.skill.experience import Experience, Step, recovered, useful_steps
from orchestrator.skill.triggers import KEY, NOT_FOR
from orchestrator.text.unicode import well_formed

log = logging.getLogger(__name__)

_MOST_STEPS = 30
_MOST_CHARACTERS = 800
"""Of one argument of a step."""
_NAME_WORDS = 4

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["name", "description", "triggers", "not_for", "pitfalls"],
    "properties": {
        "name": {"type": "string", "maxLength": 60},
        "description": {"type": "string", "maxLength": 500},
        "triggers": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
        "not_for": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
        "pitfalls": {"type": "array", "maxItems": 4, "items": {"type": "string"}},
    },
}

_PROMPT = """\
A task was done well. Its steps become a skill for similar tasks; write only what a reader needs \
to find it and to avoid its traps.
name: two to four words in lower case, joined by hyphens, for the kind of task, without names or \
dates of this one.
description: what the skill does, then "Use when …", in at most two sentences.
triggers: three other requests, in a person's words, that this skill would serve.
not_for: up to three requests that sound alike but need something else.
pitfalls: what went wrong on the way and what to do instead; none if nothing did.

The task:
{brief}

What worked:
{steps}

What went wrong first:
{errors}
"""


class Writer(Protocol):
    """A model that fills in a JSON schema."""

    @property
    def name(self) -> str:
        """`provider/model`."""
        ...

    async def write(self, prompt: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises RetinueError when there is no usable reply."""
        ...


@dataclass(frozen=True)
class Words:
    """What a model, or a rule, says about a skill."""

    name: str
    description: str
    triggers: tuple[str, ...] = ()
    not_for: tuple[str, ...] = ()
    pitfalls: tuple[str, ...] = ()


async def draft(experience: Experience, writer: Writer | None) -> SkillDocument:
    """The task as a skill. Without a model, or when its words are no use, name and description come
    from the brief.
    """
    words = plain_words(experience)
    if writer is not None:
        try:
            words = _read(await writer.write(_prompt(experience), SCHEMA), words)
        except RetinueError as error:
            log.warning("a skill of run %s is named by rule: %s", experience.run, error)
    triggers = dict.fromkeys([_line(experience.brief), *words.triggers])
    metadata = {KEY: "\n".join(triggers)}
    if words.not_for:
        metadata[NOT_FOR] = "\n".join(words.not_for)
    return SkillDocument(
        name=words.name,
        description=words.description,
        body=_body(experience, words),
        metadata=metadata,
    )


def plain_words(experience: Experience) -> Words:
    """Name and description by rule."""
    request = _line(experience.brief)
    words = [word for word in content_words(request) if word.isascii() and word.isalpha()]
    name = specification.slug("-".join(words[:_NAME_WORDS]) or "task")
    return Words(name, f"How to do what was asked in: {request} Use when asked for the like.")


def rules_of(corrections: Sequence[str]) -> Sequence[str]:
    """What people have said, as lines of a list."""
    return [f"- {_line(each)}" for each in corrections]


def traps_of(experience: Experience) -> Sequence[str]:
    """What failed first and what worked instead, as lines of a list; not the words of the failure,
    which come from outside.
    """
    return [
        f"- `{_call(failed)}` fails; this works: `{_call(worked)}`"
        for failed, worked in recovered(experience.steps)[:4]
    ]


def _body(experience: Experience, words: Words) -> str:
    title = words.name.replace("-", " ").capitalize()
    parts = [f"# {title}", "## Steps", "\n".join(_steps(experience.steps))]
    if experience.corrections:
        parts += ["## Rules", "\n".join(rules_of(experience.corrections))]
    traps = [*(f"- {_line(each)}" for each in words.pitfalls), *traps_of(experience)]
    if traps:
        parts += ["## Pitfalls", "\n".join(dict.fromkeys(traps))]
    return "\n\n".join(parts)


def _steps(steps: Sequence[Step]) -> Sequence[str]:
    lines: list[str] = []
    for number, step in enumerate(useful_steps(steps)[:_MOST_STEPS], 1):
        long = [(key, value) for key, value in step.arguments.items() if "\n" in str(value)]
        short = {key: value for key, value in step.arguments.items() if (key, value) not in long}
        shown = ", ".join(f"{key}: {_value(value)}" for key, value in short.items())
        lines.append(f"{number}. `{step.tool}`{f' with {shown}' if shown else ''}")
        for key, value in long:
            text = str(value).rstrip()[:_MOST_CHARACTERS]
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text)), 3)
            lines += [f"   {key}:", f"   {fence}"]
            lines += [f"   {line}" for line in text.splitlines()]
            lines.append(f"   {fence}")
    return lines


def _prompt(experience: Experience) -> str:
    errors = "\n".join(traps_of(experience)) or "nothing"
    steps = "\n".join(_steps(experience.steps))[:6_000]
    return _PROMPT.format(brief=experience.brief[:3_000], steps=steps, errors=errors)


def _read(answer: Mapping[str, Any], plain: Words) -> Words:
    def lines(key: str) -> tuple[str, ...]:
        values = answer.get(key)
        return tuple(_line(str(each), 300) for each in values) if isinstance(values, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  from a model

    name = specification.slug(str(answer.get("name", "")))
    description = _line(str(answer.get("description", "")), specification.MAX_DESCRIPTION)
    return Words(
        plain.name if name == "skill" else name,
        description if len(description) > 20 else plain.description,
        lines("triggers")[:3],
        lines("not_for")[:3],
        lines("pitfalls")[:4],
    )


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text[:_MOST_CHARACTERS]}`"


def _call(step: Step) -> str:
    shown = ", ".join(f"{key}={value!r}" for key, value in step.arguments.items())
    return _line(f"{step.tool}({shown})", 160).replace("`", "'")


def _line(text: str, most: int = 200) -> str:
    line = " ".join(well_formed(text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
