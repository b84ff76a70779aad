"""A finished run as its members can learn from it: each member call, and who says how it went."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from orchestrator.memory.conversations import Conversations, Message
from orchestrator.skill import Experience, Sign, Step
from orchestrator.team.ledger import MemberRecord, RunRecord

GOOD = frozenset({"approve", "approved", "pass", "passed", "accept", "accepted", "ok", "yes"})
BAD = frozenset({"reject", "rejected", "fail", "failed", "decline", "declined", "no"})
"""What a reviewer's `verdict` may be."""

_OBJECTION = re.compile(
    r"\s*(?:no\b(?! (?:problem|worries|thanks|need|hurry|more))|nope|wrong|"
    r"that(?:'s| is) (?:wrong|not)|not (?:like|what)|don't|do not|instead\b|"
    r"please (?:use|don't|do not)|you should have|never |always )",
    re.IGNORECASE,
)
_FILE = re.compile(r"[\w/-]+\.\w{1,5}\b")
_QUOTED = 80
"""Characters of an answer that a brief quotes when it is about it."""

_DENIED = "a person said no: "


def experiences(
    record: RunRecord,
    members: Sequence[MemberRecord],
    conversations: Callable[[str], Conversations],
) -> Sequence[Experience]:
    """One for each member call that has a brief."""
    said = {member.profile: conversations(member.profile).of_run(record.id) for member in members}
    calls = [_Call(member, _of_call(said[member.profile], member.call)) for member in members]
    profiles = {member.profile for member in members}
    speaks_for = record.owner if record.owner in profiles or len(profiles) != 1 else min(profiles)
    objections = {speaks_for: _objections(record, conversations)}
    return [
        Experience(
            run=record.id,
            task=call.member.call,
            author=f"{record.team}/{call.member.profile}",
            brief=call.brief.text,
            steps=call.steps,
            corrections=(*call.denials, *objections.get(call.member.profile, ())),
            sign=_sign(record, call, calls),
        )
        for call in calls
        if call.brief is not None
    ]


class _Call:
    """What was said in one member call."""

    def __init__(self, member: MemberRecord, messages: Sequence[Message]) -> None:
        self.member = member
        self.brief = _one(messages, "brief")
        self.result = _one(messages, "result")
        tools = [message for message in messages if message.kind == "tool"]
        self.steps = tuple(_step(message) for message in tools)
        self.denials = tuple(
            message.text.removeprefix(_DENIED)
            for message in tools
            if message.extra.get("outcome") == "denied" and message.text.startswith(_DENIED)
        )

    @property
    def verdict(self) -> bool | None:
        """What its answer says of others' work, when it has that form."""
        data = _object(self.result.text if self.result is not None else "")
        for key in ("passed", "approved", "accepted"):
            if isinstance(data.get(key), bool):
                return data[key]
        word = str(data.get("verdict", "")).lower()
        return True if word in GOOD else False if word in BAD else None


def _sign(record: RunRecord, call: _Call, calls: Sequence[_Call]) -> Sign | None:
    """A person's word, else a reviewer's who is not the author, else that the work was not done."""
    if record.verdict is not None:
        return Sign(record.verdict == "good", "person", record.verdict)
    if call.member.state == "limited":
        return Sign(False, "run", "stopped at a limit")
    if call.result is None or call.verdict is not None:
        return None
    reviews = [
        (other.brief.at, other.verdict, other.member.profile)
        for other in calls
        if other.member.profile != call.member.profile
        and other.verdict is not None
        and other.brief is not None
        and other.brief.at >= call.result.at
        and _is_about(other.brief.text, call)
    ]
    if not reviews:
        return None
    _, good, reviewer = min(reviews)
    return Sign(good, "reviewer", reviewer)


def _is_about(brief: str, call: _Call) -> bool:
    """Whether a reviewer's brief is about this work: it names the author, quotes the answer, or
    names a file that the answer names.
    """
    answer = call.result.text if call.result is not None else ""
    quoted = " ".join(answer.split())[:_QUOTED]
    names = set(_FILE.findall(answer)) & set(_FILE.findall(brief))
    by_name = re.search(rf"\b{re.escape(call.member.profile)}\b", brief) is not None
    return bool(names) or by_name or bool(quoted and quoted in " ".join(brief.split()))


def _objections(record: RunRecord, conversations: Callable[[str], Conversations]) -> Sequence[str]:
    """What the person who speaks to the run's owner said against its last answer, or against the
    run as a whole.
    """
    said = conversations(record.owner)
    found: list[str] = []
    for message in said.of_run(record.id):
        if message.key.startswith("verdict/"):
            note = message.text.removeprefix("(bad)").strip()
            found += [note] if note and message.text.startswith("(bad)") else []
            continue
        if message.kind == "said" and _OBJECTION.match(message.text):
            before = said.before(message)
            if before is not None and before.peer == f"{record.team}/{record.owner}":
                found.append(message.text)
    return found


def _of_call(messages: Sequence[Message], call: str) -> Sequence[Message]:
    return [message for message in messages if message.key.startswith(f"{call}/")]


def _one(messages: Sequence[Message], kind: str) -> Message | None:
    return next((each for each in messages if each.key.endswith(f"/{kind}")), None)


def _step(message: Message) -> Step:
    return Step(
        tool=message.peer,
        arguments=message.extra.get("arguments", {}),
        outcome=str(message.extra.get("outcome", "ok")),
        text=message.text[:2_000],
        exit_code=message.extra.get("exit_code"),
    )


def _object(text: str) -> Mapping[str, Any]:
    body = text.strip()
    if body.startswith("```"):
        body = body.strip("`").removeprefix("json").strip()
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
