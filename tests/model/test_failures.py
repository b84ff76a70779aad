"""Providers on a bad day: what is asked again, what falls back, what a person is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from orchestrator.errors import (
    ModelRefusedError,
    ModelUnavailable,
    NotFoundError,
    PersonError,
)
from orchestrator.model import Patience, open_model
from orchestrator.settings import Settings
from tests.model.peers import (
    ANTHROPIC,
    CHAT,
    COMPATIBLE,
    KEY,
    RESPONSES,
    WIRES,
    Naps,
    Wire,
    serving,
)
from tests.model.servers import Act, Answer, AnthropicDouble, Fail, OpenAIDouble

SAID = [HumanMessage("How is the weather?")]
FINE = Answer("It rains.")
LONG = Answer("It rains in Oslo and it will go on raining there until next Tuesday.")

every_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


@every_wire
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
async def test_a_passing_failure_is_asked_again(wire: Wire, status: int) -> None:
    async with serving(wire, [Fail(status), Fail(status), FINE]) as peer:
        reply = await peer.model.bind(()).call(SAID)
    assert reply.text == "It rains."
    assert reply.attempts == 3
    assert peer.naps.seconds == [0.5, 1.0]


@every_wire
async def test_retry_after_is_obeyed_up_to_a_minute(wire: Wire) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    refusals = [Fail(429, headers={"retry-after": text}) for text in ("7", later, "soon")]
    async with serving(wire, [*refusals, FINE]) as peer:
        await peer.model.bind(()).call(SAID)
    assert peer.naps.seconds == [7, 60, 2.0]


@every_wire
async def test_after_four_attempts_the_model_is_unavailable(wire: Wire) -> None:
    async with serving(wire, Fail(503, "come back tomorrow")) as peer:
        with pytest.raises(ModelUnavailable, match="503: come back tomorrow") as caught:
            await peer.model.bind(()).call(SAID)
    assert wire.spec in str(caught.value)
    assert len(peer.double.posts) == 4


@every_wire
@pytest.mark.parametrize("ends", ["early", "breaks"])
async def test_a_cut_stream_begins_again_and_says_so(wire: Wire, ends: str) -> None:
    cut = Answer(LONG.text, ends=ends, after_events=6)  # pyright: ignore[reportArgumentType]
    async with serving(wire, [cut, LONG]) as peer:
        reply = await peer.model.bind(()).call(SAID, on_delta=peer.deltas.append)
    assert reply.text == LONG.text
    assert reply.attempts == 2
    restarts = [index for index, delta in enumerate(peer.deltas) if delta.restart]
    assert len(restarts) == 1
    assert "".join(delta.text for delta in peer.deltas[restarts[0] :]) == LONG.text


@every_wire
@pytest.mark.parametrize("error", ["overloaded_error", "rate_limit_error", "server_error"])
async def test_a_passing_error_inside_the_stream_is_asked_again(wire: Wire, error: str) -> None:
    async with serving(wire, [Answer("It ra", error=error), FINE]) as peer:
        reply = await peer.model.bind(()).call(SAID)
    assert reply.text == "It rains."
    assert reply.attempts == 2


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (CHAT, "insufficient_quota"),
        (RESPONSES, "insufficient_quota"),
        (ANTHROPIC, "billing_error"),
    ],
    ids=["chat", "responses", "anthropic"],
)
async def test_a_final_error_inside_the_stream_is_not(wire: Wire, error: str) -> None:
    async with serving(wire, Answer("It ra", error=error)) as peer:
        with pytest.raises(ModelRefusedError, match="out of credit"):
            await peer.model.bind(()).call(SAID)
    assert len(peer.double.posts) == 1


@every_wire
async def test_a_stream_that_falls_silent_is_asked_again(wire: Wire) -> None:
    silent = Answer(LONG.text, ends="hangs", after_events=6)
    async with serving(wire, [silent, FINE], first_chunk=3600, idle=0.05) as peer:
        async with asyncio.timeout(60):
            reply = await peer.model.bind(()).call(SAID)
        assert reply.text == "It rains."
        await asyncio.wait_for(peer.double.left.wait(), 5)


@every_wire
async def test_a_provider_that_never_begins_is_given_up(wire: Wire) -> None:
    silent = Answer(LONG.text, ends="hangs", after_events=0)
    async with serving(wire, silent, first_chunk=0.05) as peer:
        with pytest.raises(ModelUnavailable, match=r"nothing came for|no answer in time"):
            await peer.model.bind(()).call(SAID)


@every_wire
@pytest.mark.parametrize(
    ("fail", "told"),
    [
        (Fail(401, "bad key"), r"refuses the key \(401: bad key\); set a valid .*_API_KEY"),
        (Fail(402, "pay first"), r"behind .*_API_KEY is out of credit \(402: pay first\)"),
        (Fail(403, "not you"), r"does not allow .*\(403: not you\); name another model"),
        (Fail(404, "no such"), r"does not know the model .*\(404: no such\)"),
        (Fail(400, "too long"), r"rejects the request .*\(400: too long\)"),
        (Fail(429, "no credit", "insufficient_quota"), "out of credit"),
    ],
    ids=["401", "402", "403", "404", "400", "quota"],
)
async def test_a_refusal_is_final_and_says_what_to_do(wire: Wire, fail: Fail, told: str) -> None:
    async with serving(wire, fail) as peer:
        with pytest.raises(ModelRefusedError, match=told):
            await peer.model.bind(()).call(SAID)
    assert len(peer.double.posts) == 1
    assert peer.naps.seconds == []


async def test_a_model_ollama_lacks_is_to_be_pulled() -> None:
    wire = Wire("ollama/qwen3:8b", OpenAIDouble, "OLLAMA")
    async with serving(wire, Fail(404, "model not found")) as peer:
        with pytest.raises(ModelRefusedError, match="run: ollama pull qwen3:8b"):
            await peer.model.bind(()).call(SAID)


@pytest.mark.parametrize("refusal", [Fail(401), Fail(404), Fail(400), Fail(503)])
async def test_the_next_model_serves_when_the_first_cannot(refusal: Act) -> None:
    async with AnthropicDouble(FINE) as second:
        credentials = ANTHROPIC.credentials(second.base_url)
        fallbacks = [ANTHROPIC.spec]
        async with serving(CHAT, refusal, fallbacks=fallbacks, credentials=credentials) as peer:
            reply = await peer.model.bind(()).call(SAID)
    assert reply.text == "It rains."
    assert reply.model == ANTHROPIC.spec
    assert peer.model.name == CHAT.spec


async def test_when_all_fail_every_model_is_named_with_its_reason() -> None:
    async with AnthropicDouble(Fail(503, "asleep")) as second:
        credentials = ANTHROPIC.credentials(second.base_url)
        fallbacks = [ANTHROPIC.spec]
        async with serving(CHAT, Fail(401), fallbacks=fallbacks, credentials=credentials) as peer:
            with pytest.raises(ModelUnavailable) as caught:
                await peer.model.bind(()).call(SAID)
    assert "OpenAI refuses the key" in str(caught.value)
    assert "anthropic/claude-sonnet-5-5: 503: asleep" in str(caught.value)


async def test_when_all_refuse_it_is_for_the_person_to_mend() -> None:
    async with serving(CHAT, Fail(401), fallbacks=["nous"]) as peer:
        with pytest.raises(ModelRefusedError, match=r"refuses the key.*set NOUS_API_KEY"):
            await peer.model.bind(()).call(SAID)


async def _ask(specs: Sequence[str], **credentials: str) -> None:
    async with open_model(
        specs,
        credentials=credentials,
        settings=Settings(),
        cache=Path("/nonexistent"),
        profile="analyst",
        patience=Patience(sleep=Naps(), connect=2),
    ) as model:
        await model.bind(()).call(SAID)


async def test_nobody_listening_makes_it_unavailable() -> None:
    async with OpenAIDouble(FINE) as double:
        gone = double.base_url
    with pytest.raises(ModelUnavailable, match=rf"custom/x at {gone}: no connection: .*attempts"):
        await _ask(["custom/x"], CUSTOM_BASE_URL=gone)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("openai", "OpenAI needs a key: set OPENAI_API_KEY"),
        ("anthropic", "Anthropic needs a key: set ANTHROPIC_API_KEY"),
        ("custom/x", "needs a base URL: set custom_base_url"),
        ("custom", "needs a model: write custom/MODEL"),
        ("local", "run: retinue model pull"),
        ("local//nowhere/model.gguf", "there is no GGUF file '/nowhere/model.gguf'"),
        ("rehearsal", "a rehearsal plays a script and none is given"),
    ],
)
async def test_what_is_missing_is_named(spec: str, told: str) -> None:
    with pytest.raises(PersonError, match=told):
        await _ask([spec])


async def test_an_unknown_provider_is_refused_with_near_names() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'openai'"):
        await _ask(["opnai/gpt-5"])


@every_wire
async def test_cancelling_closes_the_connection(wire: Wire) -> None:
    silent = Answer(LONG.text, ends="hangs", after_events=6)
    async with serving(wire, silent) as peer:
        begun = asyncio.Event()
        task = asyncio.create_task(peer.model.bind(()).call(SAID, on_delta=lambda _: begun.set()))
        await asyncio.wait_for(begun.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(peer.double.left.wait(), 5)


@every_wire
async def test_no_secret_is_shown_even_if_the_provider_repeats_it(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with serving(wire, [Fail(500, f"broken for {KEY}"), Fail(401, f"bad {KEY}")]) as peer:
        with pytest.raises(ModelRefusedError) as caught:
            await peer.model.bind(()).call(SAID)
    shown = [str(caught.value), repr(caught.value), repr(peer.model), repr(vars(peer.model))]
    error: BaseException | None = caught.value
    while error is not None:
        shown.append(repr(error) + str(error))
        error = error.__cause__ or error.__context__
    assert KEY in str(peer.double.posts[0].headers)
    assert KEY not in "\n".join(shown)
    assert KEY not in caplog.text


async def test_the_profiles_own_key_is_the_one_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-process")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-process")
    for wire in (CHAT, RESPONSES, COMPATIBLE):
        async with serving(wire, FINE) as peer:
            await peer.model.bind(()).call(SAID)
        headers = peer.double.posts[0].headers
        assert headers["authorization"] == f"Bearer {KEY}"
        assert "of-the-process" not in str(headers)
