"""What `retinue model list` and `retinue model test` show."""

from __future__ import annotations

from pathlib import Path

from orchestrator.model import PROVIDERS, ModelRow, ModelTest, list_models
from orchestrator.model import catalog as the_catalog
from orchestrator.settings import Settings
from tests.model.peers import CHAT, Wire
from tests.model.servers import Answer, Fail, OpenAIDouble


def rows(**environment: str) -> dict[str, ModelRow]:
    listed = list_models(environment=environment, settings=Settings(), cache=Path("/nonexistent"))
    return {row.provider: row for row in listed}


def test_every_provider_is_listed_with_what_it_lacks() -> None:
    listed = rows(OPENAI_API_KEY="k")
    assert list(listed) == list(PROVIDERS)
    assert listed["openai"].ready
    assert listed["openai"].key == "OPENAI_API_KEY"
    assert listed["openai"].key_present
    assert listed["openai"].price is not None
    assert listed["openai"].price_checked is not None
    assert listed["anthropic"].missing == "set ANTHROPIC_API_KEY"
    assert not listed["anthropic"].ready
    assert listed["local"].missing == "retinue model pull"
    assert "CUSTOM_BASE_URL" in listed["custom"].missing
    assert listed["ollama"].key is None
    assert listed["ollama"].base_url == "http://127.0.0.1:11434/v1"
    assert listed["nous"].price is None


def test_a_password_in_a_base_url_is_not_shown() -> None:
    row = rows(CUSTOM_BASE_URL="https://me:secret@models.example/v1?token=abc")["custom"]
    assert row.base_url == "https://models.example/v1"
    assert row.ready


async def _try(wire: Wire, act: Answer | Fail) -> ModelTest:
    async with OpenAIDouble(act) as double:
        return await the_catalog.test_model(
            wire.spec,
            credentials=wire.credentials(double.base_url),
            settings=Settings(),
            cache=Path("/nonexistent"),
            base_url=None,
        )


async def test_a_model_that_answers_is_timed_and_counted() -> None:
    result = await _try(CHAT, Answer(" ready\n", input_tokens=15, output_tokens=2))
    assert result.ok
    assert result.text == "ready"
    assert result.first_seconds is not None
    assert 0 < result.first_seconds <= result.seconds
    assert result.usage.total == 17
    assert result.cost_usd is not None


async def test_a_model_that_does_not_is_reported_after_one_attempt() -> None:
    result = await _try(CHAT, Fail(503, "asleep"))
    assert not result.ok
    assert "503: asleep" in result.error
    assert result.cost_usd is None
