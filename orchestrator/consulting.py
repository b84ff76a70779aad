"""What a person asks of a member's memory outside a run: what it knows, or to derive now."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from decimal import Decimal

from orchestrator.errors import PersonError
from orchestrator.memory import AskAnswer, AskLevel, EmbeddedUserModel, QueueStatus
from orchestrator.memory.asking import EVIDENCE_ALONE
from orchestrator.memory.user_model import DreamReport
from orchestrator.model.base import Account, Usage
from orchestrator.profile.schema import Team
from orchestrator.staff import House, TeamStaff
from orchestrator.team.limits import RunMeter
from orchestrator.team.supervisor import CALL
from orchestrator.team.writing import ModelWriter

_log = logging.getLogger(__name__)

_ACCOUNT = "memory"
"""Stands for the run where nothing runs."""


@dataclass(frozen=True)
class Derived:
    """What came of understanding what was said."""

    understood: int
    """Messages that a model has read."""
    queue: QueueStatus
    dream: DreamReport
    model: str | None
    """Which one has read; None: the rules alone."""
    note: str = ""
    """Why there was no model."""


class Consulting:
    """Lets the profiles of a home read and answer while no run is at work."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def derive(
        self, team: Team, profile: str, *, model: str | None, dream: bool, retry: bool
    ) -> Derived:
        """Understand all that was said to the profile, and go over what it knows when that is due;
        `dream`: now. Without a model the rules alone read. Raises PersonError when `model` is named
        and cannot be used, or when the profile keeps nothing about people.
        """
        people = self._people(team, profile)
        if not team.memory(profile).observe:
            raise PersonError(
                f"{team.name}/{profile} keeps nothing about people: `observe` is off in its "
                f"`memory` in {team.source}"
            )
        if retry:
            await asyncio.to_thread(people.derivation.retry)
        thinker, note = self._consulted(team, profile, model)
        queue = await people.work(None)
        before, left = queue, queue.pending
        try:
            while thinker is not None and left:
                queue = await people.work(thinker, flush=True)
                if queue.pending >= left:
                    break
                left = queue.pending
            report = await people.dream(thinker, force=dream)
        except PersonError as error:
            if model is not None:
                raise
            thinker, note = None, str(error)
            report = await people.dream(None)
        understood = before.pending + before.failed - queue.pending - queue.failed
        return Derived(understood, queue, report, thinker.name if thinker else None, note)

    async def ask_about(
        self,
        team: Team,
        profile: str,
        person: str,
        question: str,
        *,
        level: AskLevel,
        model: str | None,
        evidence: bool = False,
    ) -> AskAnswer:
        """What the profile knows of a person that answers the question; without a model, or with
        `evidence`, the evidence. Raises PersonError when `model` is named and cannot be used.
        """
        people = self._people(team, profile)
        if team.memory(profile).observe:
            await asyncio.to_thread(people.derivation.read)
        if evidence:
            answer = await people.ask(person, question, level=level, thinker=None)
            return replace(answer, note=EVIDENCE_ALONE)
        thinker, note = self._consulted(team, profile, model)
        try:
            answer = await people.ask(person, question, level=level, thinker=thinker)
        except PersonError as error:
            if model is not None:
                raise
            note = str(error)
            answer = await people.ask(person, question, level=level, thinker=None)
        return replace(answer, note=f"{answer.note}: {note}") if note else answer

    def _people(self, team: Team, profile: str) -> EmbeddedUserModel:
        return self._house.user_model(self._house.home.profile(team.name, profile))

    def _consulted(
        self, team: Team, profile: str, model: str | None
    ) -> tuple[ModelWriter | None, str]:
        """The profile's model outside a run, or why there is none; never a script."""
        staff = TeamStaff(self._house, team, model=model, rehearsal=None)
        try:
            chain = staff.lead() if profile == CALL else staff.model(profile)
            if chain.rehearsal:
                raise PersonError(f"{chain.name} plays a script and is no model; name another")
        except PersonError as error:
            if model is not None:
                raise
            return None, str(error)
        address = f"{team.name}/{profile}"

        def paid(usage: Usage, cost_usd: Decimal | None) -> None:
            price = "at an unknown price" if cost_usd is None else f"for {cost_usd} USD"
            _log.info("%s has used %d tokens %s", address, usage.total, price)

        return ModelWriter(chain, Account(_ACCOUNT, address, RunMeter(team.limits)), paid), ""
