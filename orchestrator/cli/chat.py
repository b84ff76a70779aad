"""`retinue chat`."""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.cli.address import addressed, member
from orchestrator.cli.ask import Keyboard
from orchestrator.cli.boundary import describe
from orchestrator.cli.conduct import EXIT_CODES, learn, see_through
from orchestrator.cli.output import Screen
from orchestrator.cli.places import known_model, open_runtime
from orchestrator.cli.render import Progress, show_result
from orchestrator.cli.run import folder
from orchestrator.cli.target import find, read_text
from orchestrator.errors import PersonError
from orchestrator.runtime import RunRequest, Runtime

_log = logging.getLogger(__name__)

HELP = """\
@name …   speak to one member (also `name: …`); everything else goes to {default}
/new      begin a new conversation
/help     this
/quit     leave (also Ctrl-D); Ctrl-C stops the message being worked on"""


async def chat(*, where: str, model: str | None, files: str | None, session: str | None) -> int:
    target = find(where)
    async with open_runtime(target.project) as runtime:
        team = runtime.team(target.team)
        request = RunRequest(
            team=team,
            target=member(team, target.profile) if target.profile else None,
            files=folder(files) or target.inputs,
            model=known_model(model),
            rehearsal=target.rehearsal,
            session=session or _new_session(),
        )
        with Screen() as screen, Keyboard() as keyboard:
            for problem in team.problems:
                screen.line(f"left out: {problem}", "bad")
            names = ", ".join(each.profile for each in team.members)
            screen.line(f"{team.name}: {names}. /help shows what can be typed.", "quiet")
            code = await _Chat(runtime, screen, keyboard, request).talk()
            await learn(runtime, screen)
            return code


@dataclass
class _Chat:
    """A conversation; each line of stdin is a message or a `/command`."""

    runtime: Runtime
    screen: Screen
    keyboard: Keyboard
    request: RunRequest
    code: int = 0
    """Of the last message."""

    async def talk(self) -> int:
        with suppress(ImportError):
            importlib.import_module("readline")  # gives `input` line editing and history
        while (line := await self.keyboard.line("you> ")) is not None:
            match line.split(maxsplit=1):
                case []:
                    continue
                case ["/quit" | "/exit"]:
                    break
                case ["/new"]:
                    await self._close()
                    self.request = replace(self.request, session=_new_session())
                    self.screen.line("a new conversation", "quiet")
                case ["/help"]:
                    default = self.request.target or "the supervisor"
                    self.screen.line(HELP.format(default=default), "quiet")
                case [command, *_] if command.startswith("/"):
                    self._refuse(f"there is no {command!r}; /help shows what there is")
                case _:
                    await self._message(line)
        await self._close()
        # Between people leaving is no failure; a script wants to know how its last message ended.
        return 0 if self.keyboard.attended else self.code

    async def _close(self) -> None:
        """Let the member write down what the conversation has taught it."""
        closing = self.runtime.closing(self.request)
        if closing is not None and self.keyboard.attended:
            self.screen.line("the conversation ends; Ctrl-C if nothing of it need be kept", "quiet")
            await self._carry_out(closing)

    async def _message(self, line: str) -> None:
        try:
            message = addressed(self.request.team, line, self.request.target)
            if not message.text.strip():
                raise PersonError(f"say something to {message.target or 'the supervisor'}")
            text = read_text(message.text, "message")
        except PersonError as error:
            self._refuse(describe(error))
            return
        await self._carry_out(replace(self.request, task=text, target=message.target))

    async def _carry_out(self, request: RunRequest) -> None:
        try:
            await _interruptible(self._work(request))
        except Exception as error:
            _log.exception("a message failed")
            self._refuse(describe(error))
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            self.code = 1

    async def _work(self, request: RunRequest) -> None:
        progress = Progress(self.screen, chat=True)
        result = await see_through(
            self.runtime,
            lambda watch: self.runtime.run(request, watch),
            self.screen,
            progress,
            self.keyboard,
        )
        shown = progress.said.strip() == result.answer.strip()
        show_result(self.screen, result, answer=not shown)
        self.code = EXIT_CODES[result.state]
        self.screen.label = ""

    def _refuse(self, message: str) -> None:
        self.screen.label = ""
        self.screen.line(message, "bad")
        self.code = 2


async def _interruptible(work: Coroutine[Any, Any, None]) -> None:
    """Do the work as a task of its own, which Ctrl-C cancels instead of the conversation."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

    def stop(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(task.cancel)

    before = signal.signal(signal.SIGINT, stop)
    try:
        await task
    finally:
        signal.signal(signal.SIGINT, before)


def _new_session() -> str:
    return uuid.uuid4().hex
