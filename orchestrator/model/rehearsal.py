"""The rehearsal: a model that plays a script, for demonstrations and tests. It is no model."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from orchestrator.errors import PersonError
from orchestrator.model.providers import Opening
from orchestrator.model.rehearsal_script import Line, read_script

_PLACE = re.compile(r"\{\{\s*(tool|match)(?:\.(\d+))?\s*\}\}")
_PIECES = 8
"""At most so many deltas a text is streamed in."""
_SHOWN = 300


class RehearsalChat(BaseChatModel):
    """Plays a script; which line comes next follows from the messages alone.

    Every earlier message of the profile has used up the first unused line that fitted what was
    said to it before, so a run that is resumed goes on with the right one.
    """

    script: Path
    part: str
    """The profile it plays."""
    lines: tuple[Line, ...]

    @property
    def _llm_type(self) -> str:
        return "rehearsal"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=tools, tool_choice=tool_choice, **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for message in self._pieces(messages):
            yield ChatGenerationChunk(message=message)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("a rehearsal streams")

    def _pieces(self, messages: Sequence[BaseMessage]) -> Iterator[AIMessageChunk]:
        line, heard = self._next(messages)
        results = [message.text for message in messages if isinstance(message, ToolMessage)]
        there = {"tool": results, "match": line.groups(heard)}
        for piece in _split(self._filled(line.say, there)):
            yield AIMessageChunk(content=piece)
        turn = sum(isinstance(message, AIMessage) for message in messages) + 1
        calls = [
            tool_call_chunk(
                name=call.tool,
                args=json.dumps(self._filled(call.arguments, there), ensure_ascii=False),
                id=f"call_{turn}_{index}",
                index=index,
            )
            for index, call in enumerate(line.calls, 1)
        ]
        yield AIMessageChunk(content="", tool_call_chunks=calls, chunk_position="last")

    def _next(self, messages: Sequence[BaseMessage]) -> tuple[Line, str]:
        """The line that comes next, and what was said to the profile before it."""
        unused = [line for line in self.lines if line.profile == self.part]
        heard: list[str] = []
        for message in messages:
            if isinstance(message, AIMessage):
                line = self._fitting(unused, heard)
                if line is not None and not line.repeat:
                    unused.remove(line)
                heard = []
            elif not isinstance(message, SystemMessage):
                heard.append(message.text)
        line = self._fitting(unused, heard)
        if line is None:
            raise PersonError(
                f"the rehearsal {str(self.script)!r} has no line left that {self.part!r} could "
                f"say to: {_shortened(heard)!r}"
            )
        return line, "\n".join(heard)

    def _fitting(self, lines: Sequence[Line], heard: Sequence[str]) -> Line | None:
        text = "\n".join(heard)
        return next((line for line in lines if line.fits(self.part, text)), None)

    def _filled(self, value: Any, there: Mapping[str, Sequence[str]]) -> Any:
        """The value with each `{{ tool }}`, `{{ tool.N }}`, `{{ match }}` and `{{ match.N }}`
        replaced by what a tool gave or a group of `match` caught, without a number the last.
        """
        if isinstance(value, str):
            return _PLACE.sub(lambda place: self._found(place, there), value)
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {key: self._filled(inner, there) for key, inner in items}
        if isinstance(value, list):
            return [self._filled(inner, there) for inner in cast("list[Any]", value)]
        return value

    def _found(self, place: re.Match[str], there: Mapping[str, Sequence[str]]) -> str:
        texts = there[place[1]]
        number = int(place[2]) if place[2] else len(texts)
        if not 1 <= number <= len(texts):
            what = "tool results" if place[1] == "tool" else "groups in its match"
            raise PersonError(
                f"the rehearsal {str(self.script)!r} has {self.part!r} say {place[0]!r}, but "
                f"there are {len(texts)} {what}"
            )
        return texts[number - 1]


def rehearsal_model(opening: Opening) -> RehearsalChat:
    """The script's part for one profile. Raises PersonError without a script, ConfigError."""
    if opening.rehearsal is None:
        raise PersonError(
            "a rehearsal plays a script and none is given; run an example that has a "
            "rehearsal.yaml, or name a real model"
        )
    lines = tuple(read_script(opening.rehearsal))
    return RehearsalChat(script=opening.rehearsal, part=opening.profile, lines=lines)


def _split(text: str) -> Iterator[str]:
    """The text in a few pieces, cut after spaces where there are any."""
    words = re.findall(r"\S*\s*", text)[:-1]
    size = -(-len(words) // _PIECES) or 1
    for start in range(0, len(words), size):
        yield "".join(words[start : start + size])


def _shortened(heard: Sequence[str]) -> str:
    text = " ".join(" ".join(heard).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
