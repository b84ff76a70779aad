"""Handing a brief to a member: files in, work, files out, all of it once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from orchestrator.agent.dialogue import used
from orchestrator.agent.loop import work
from orchestrator.agent.seat import Assignment, Seat
from orchestrator.agent.state import Brief, MemberResult
from orchestrator.errors import RetinueError, RunCancelled
from orchestrator.events import ArtifactPublished, MemberFinished, MemberStarted, Warned
from orchestrator.team.files import Exchange
from orchestrator.team.ledger import Ledger, MemberRecord

_log = logging.getLogger(__name__)

_TEXT_CHARS = 6_000
"""What of a member's answer goes back to the supervisor; the whole lies in a file."""


class Members:
    """The members of one run, as a `MemberCaller`.

    `seat` opens a profile on first use; a profile that cannot be opened fails its own calls only.
    """

    def __init__(
        self,
        assignment: Assignment,
        *,
        seat: Callable[[str], Awaitable[Seat]],
        exchange: Exchange,
        ledger: Ledger,
    ) -> None:
        self._in = assignment
        self._seat = seat
        self._exchange = exchange
        self._ledger = ledger
        self._publishing = asyncio.Lock()
        """One at a time, so that two members who wrote the same file see each other."""

    async def __call__(self, profile: str, brief: Brief, call: str) -> MemberResult:
        # Before anything is awaited: members that start together get the same files.
        artifacts = self._exchange.listing()
        # Before anything is left in the member's home: whoever ends the run finds it there.
        await self._enter(call, profile, "running")
        seat: Seat | None = None
        try:
            seat = await self._seat(profile)
            entry = seat.journal.get(self._in.run, call, "result")
            if entry is not None:
                done = _from_dict(profile, call, entry.payload)
                await self._enter(call, profile, done.state, done.steps)
                return done
            self._in.watch(MemberStarted(self._in.run, profile, call, brief.goal))
            result = await self._work(seat, brief, call, artifacts)
            if result.state == "completed":
                await asyncio.to_thread(self._record, seat, brief, result)
        except (RunCancelled, asyncio.CancelledError):
            await self._enter(call, profile, "cancelled", await self._asked(seat, call))
            raise
        except RetinueError as error:
            steps = await self._asked(seat, call)
            result = MemberResult(profile, call, "failed", str(error), steps)
        except Exception as error:
            _log.exception("call %s failed in run %s", call, self._in.run)
            steps = await self._asked(seat, call)
            result = MemberResult(profile, call, "failed", f"internal error: {error!r}", steps)
        await self._enter(call, profile, result.state, result.steps)
        self._in.watch(
            MemberFinished(
                run=self._in.run,
                profile=profile,
                call=call,
                state=result.state,
                steps=result.steps,
                result=result.text,
            )
        )
        return result

    async def _work(
        self, seat: Seat, brief: Brief, call: str, artifacts: Sequence[str]
    ) -> MemberResult:
        await asyncio.to_thread(self._say, seat, brief, call)
        given = await self._hand_out(seat, call, artifacts)
        result, written = await work(seat, self._in, brief, call)
        if result.state not in ("completed", "limited"):
            return result
        async with self._publishing:
            published = await self._exchange.publish(
                seat.sandbox,
                self._in.workdir,
                profile=result.profile,
                given=given,
                written=written,
                answer=result.text,
            )
        for artifact in published.artifacts:
            self._in.watch(
                ArtifactPublished(self._in.run, result.profile, artifact.path, artifact.sha256)
            )
        for reason in published.left_out:
            self._in.watch(Warned(self._in.run, result.profile, reason))
        result = replace(result, artifacts=tuple(each.path for each in published.artifacts))
        if brief.direct or len(result.text) <= _TEXT_CHARS:
            return result
        whole = self._exchange.save_text(f"{call.replace('#', '-')}.md", result.text)
        cut = f"{result.text[:_TEXT_CHARS]}\n(cut; the whole answer is in {whole})"
        return replace(result, text=cut, artifacts=(*result.artifacts, whole))

    async def _hand_out(self, seat: Seat, call: str, artifacts: Sequence[str]) -> Mapping[str, str]:
        """The files as handed out; not again after a crash, for the member has edited them."""
        entry = seat.journal.get(self._in.run, call, "files")
        if entry is not None:
            return entry.payload
        # Once for all calls of a member: what it has made of them since is not to be undone.
        inputs = not seat.journal.steps(self._in.run, "files")
        given = await self._exchange.hand_out(
            seat.sandbox, self._in.workdir, artifacts, inputs=inputs
        )
        await asyncio.to_thread(seat.journal.finish, self._in.run, call, "files", dict(given))
        return given

    def _say(self, seat: Seat, brief: Brief, call: str) -> None:
        """Write the brief down; of one from the supervisor also whose words are behind it."""
        seat.conversations.append(
            self._in.session,
            run=self._in.run,
            key=f"{call}/brief",
            peer=brief.person if brief.direct else f"{seat.member.team}/supervisor",
            kind="said" if brief.direct else "brief",
            text=brief.goal,
            tokens=len(brief.goal) // 4,
            extra={} if brief.direct else {"person": brief.person, "words": brief.words},
        )

    def _record(self, seat: Seat, brief: Brief, result: MemberResult) -> None:
        """Commit the result; from here on the call is never worked on again."""
        seat.conversations.append(
            self._in.session,
            run=self._in.run,
            key=f"{result.call}/result",
            peer=seat.member.address,
            kind="said" if brief.direct else "result",
            text=result.text,
            tokens=len(result.text) // 4,
        )
        seat.journal.finish(self._in.run, result.call, "result", _to_dict(result))

    async def _asked(self, seat: Seat | None, call: str) -> int:
        """Steps of a call that broke off; 0 where its journal is what failed."""
        if seat is not None:
            with suppress(RetinueError):
                return (await asyncio.to_thread(used, [seat.journal], self._in.run, call))[0]
        return 0

    async def _enter(self, call: str, profile: str, state: str, steps: int = 0) -> None:
        record = MemberRecord(call, profile, state, steps)
        await asyncio.to_thread(self._ledger.member, self._in.run, record)


def _to_dict(result: MemberResult) -> dict[str, Any]:
    return {
        "text": result.text,
        "steps": result.steps,
        "output": None if result.output is None else dict(result.output),
        "artifacts": list(result.artifacts),
    }


def _from_dict(profile: str, call: str, data: Mapping[str, Any]) -> MemberResult:
    return MemberResult(
        profile=profile,
        call=call,
        state="completed",
        text=data["text"],
        steps=data["steps"],
        output=data["output"],
        artifacts=tuple(data["artifacts"]),
    )
