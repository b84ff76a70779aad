"""What a call costs, and how much a model can read."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from orchestrator.model import ModelSpec, Usage, price_of, window_of
from orchestrator.model.prices import checked


def cost(spec: str, usage: Usage, written: int = 0) -> Decimal | None:
    price = price_of(ModelSpec.parse(spec))
    return None if price is None else price.cost(usage, written)


@pytest.mark.parametrize(
    ("spec", "usage", "written", "dollars"),
    [
        ("openai/gpt-6.1-terra", Usage(100_000, 10_000), 0, "0.15"),
        ("openai/gpt-6.1-terra", Usage(100_000, 10_000, cached=80_000), 0, "0.074"),
        ("openai/gpt-6.1-terra", Usage(272_000, 0), 0, "0.272"),
        ("openai/gpt-6.1-terra", Usage(272_001, 1000), 0, "0.551502"),
        ("anthropic/claude-sonnet-5-5", Usage(10_000, 1000, cached=2_000), 5_000, "0.0287"),
        ("anthropic/claude-haiku-4-5-20251001", Usage(1_000_000, 0), 0, "1"),
        ("openai/gpt-5-mini-2025-08-07", Usage(1_000_000, 0), 0, "0.25"),
        ("openrouter/openai/gpt-6.1-terra", Usage(100_000, 10_000), 0, "0.15"),
        ("openrouter/anthropic/claude-sonnet-5.5", Usage(1_000_000, 0), 0, "2"),
        ("ollama/qwen3:8b", Usage(1_000_000, 1_000_000), 0, None),
        ("local", Usage(1_000_000, 1_000_000), 0, "0"),
        ("rehearsal", Usage(1_000_000, 1_000_000), 0, "0"),
    ],
)
def test_the_cost_of_a_call(spec: str, usage: Usage, written: int, dollars: str | None) -> None:
    assert cost(spec, usage, written) == (None if dollars is None else Decimal(dollars))


@pytest.mark.parametrize(
    "spec", ["openai/gpt-99", "nous/nousresearch/hermes-4-405b", "openrouter/meta/llama", "x/y"]
)
def test_an_unknown_price_is_none_and_not_zero(spec: str) -> None:
    assert price_of(ModelSpec.parse(spec)) is None


def test_a_server_of_ones_own_is_free_on_this_machine_only() -> None:
    here, there = "http://127.0.0.1:11434/v1", "https://ollama.example/v1"
    for spec in ("ollama/qwen3:8b", "custom/x", "lmstudio/x", "llamacpp/x", "vllm/x"):
        price = price_of(ModelSpec.parse(spec), here)
        assert price is not None
        assert price.cost(Usage(1000, 1000)) == 0
        assert price_of(ModelSpec.parse(spec), there) is None
    assert price_of(ModelSpec("ollama", "gpt-oss:120b-cloud"), here) is None


def test_windows_come_from_the_table_the_person_or_a_careful_guess() -> None:
    assert window_of(ModelSpec("anthropic", "claude-haiku-4-5"), {}) == 200_000
    assert window_of(ModelSpec("openrouter", "anthropic/claude-haiku-4.5"), {}) == 200_000
    assert window_of(ModelSpec("ollama", "qwen3:8b"), {}) == 4_096
    told = {"OLLAMA_CONTEXT_LENGTH": "65536", "CUSTOM_CONTEXT_LENGTH": "many"}
    assert window_of(ModelSpec("ollama", "qwen3:8b"), told) == 65_536
    assert window_of(ModelSpec("custom", "x"), told) == 32_768
    assert window_of(ModelSpec("openai", "gpt-99"), {}) == 128_000


def test_the_table_says_when_and_where_it_was_looked_up() -> None:
    for spec in ("openai/gpt-6.1-terra", "openrouter/anthropic/claude-sonnet-5.5"):
        told = checked(ModelSpec.parse(spec))
        assert told is not None
        assert told[0] >= date(2026, 11, 1)
        assert told[1].startswith("https://")
    assert checked(ModelSpec("openai", "gpt-99")) is None
    assert checked(ModelSpec("ollama", "qwen3:8b")) is None
