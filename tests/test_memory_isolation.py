"""What one profile was told is in no other profile's memory, prompts, events, logs or exports."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.database import Database
from orchestrator.events import to_dict
from orchestrator.home import Home
from orchestrator.memory import ConversationSearch, EmbeddedUserModel
from orchestrator.memory.transfer import export
from tests.company import Company
from tests.model.servers import Answer, OpenAIDouble, Request, ToolUse
from tests.team.test_isolation import holders

PLACES = {
    "conversation": "messages",
    "conclusion": "conclusions",
    "note": "conclusions",
    "hearsay": "conclusions",
    "summary": "summaries",
}
"""How a fact gets into a profile's memory, and the table that then holds it."""
LETTERS = str.maketrans("0123456789", "ghijklmnop")
"""What is read as the name of a place has no digits."""
FACTS = {
    "facts": [
        {
            "quote": "Bob keeps {marker}",
            "about": "Bob",
            "kind": "attribute",
            "fact": "Bob keeps {marker}",
        }
    ]
}


def reply(marker: str, place: str, request: Request) -> Answer:
    """A model that does what the place needs: notes something, or finds a fact about Bob."""
    text = json.dumps(request.body, ensure_ascii=False)
    if "what it tells about" in text:
        return Answer(json.dumps(FACTS).replace("{marker}", marker))
    if "Sum up this conversation" in text and marker in text:
        return Answer(json.dumps({"title": "Vault", "summary": f"Door {marker}."}))
    if place == "note" and "You are keeper" in text and "kept:" not in text:
        call = {"name": "remember", "arguments": {"text": f"The vault opens with {marker}."}}
        return Answer(calls=[ToolUse("call_tool", json.dumps(call))])
    return Answer("Noted.")


def said(place: str, marker: str) -> Sequence[str]:
    match place:
        case "conclusion":
            return [f"I live in {marker}."]
        case "hearsay":
            return [f"Bob keeps {marker}. " + "I say it again. " * 150]
        case "summary":
            return [f"The vault stands behind door {marker}, I believe." for _ in range(12)]
        case _:
            return [f"The vault stands behind door {marker}."]


def table(home: Home, name: str) -> str:
    """What the keeper's table holds."""
    with closing(Database(home.profile("firm", "keeper").memory_db)) as database:
        return str([tuple(row) for row in database.all(f"SELECT * FROM {name}")])


def exported(home: Home, profile: str) -> str:
    """The profile's memory as it would be carried away, and its cards."""
    own = home.profile("firm", profile)
    with closing(Database(own.memory_db)) as database:
        people = EmbeddedUserModel(database, own.address, ConversationSearch(database))
        return "\n".join([*export(database, own.address), *people.card_now("person")])


@pytest.mark.slow
@given(place=st.sampled_from(sorted(PLACES)))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_a_fact_told_to_one_profile_reaches_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    caplog.set_level(logging.DEBUG, logger="orchestrator")  # SDKs log their requests at this level
    marker = f"Mark{uuid.uuid4().hex.translate(LETTERS)}"
    folder = tmp_path / marker[:12]
    company = Company(folder / "project", Home(folder / "home"))
    company.hire([])
    async with OpenAIDouble(lambda request: reply(marker, place, request)) as server:
        company.environment = {"CUSTOM_BASE_URL": server.base_url, "CUSTOM_API_KEY": "none"}

        async def tell(profile: str | None, text: str) -> list[Any]:
            """Say something to a profile in the conversation that all share; the events."""
            company.events.clear()
            async with company.open() as runtime:
                request = company.request(runtime, text, target=profile, session="shared")
                request = replace(request, model="custom/m", rehearsal=None)
                result = await runtime.run(request, company.watch)
                assert result.state == "completed", result.error
                await runtime.remember()
            return [to_dict(event) for event in company.events]

        for text in said(place, marker):
            await tell("keeper", text)
        planted = len(server.posts)
        assert marker in table(company.home, PLACES[place])
        for profile in ("counter", None, "scribe"):
            events = await tell(profile, "Where is the vault, what does Bob keep, where do I live?")
            assert marker not in str(events)
            assert marker not in exported(company.home, profile or "supervisor")
        assert marker in exported(company.home, "keeper")
        later = [str(request.body) for request in server.posts[planted:]]
    assert later
    assert not [prompt for prompt in later if marker in prompt]
    assert marker not in caplog.text
    assert holders(company.home.root, marker) == {"keeper"}
