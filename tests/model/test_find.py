"""Which model serves when none is named."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from orchestrator.errors import NotFoundError, PersonError
from orchestrator.model import LOOPBACK, ModelFound, ModelSpec, find_model, open_model
from orchestrator.model.weights import QWEN
from orchestrator.settings import Settings
from tests.model.servers import Answer, OpenAIDouble

NOBODY = dict.fromkeys(LOOPBACK, 1)
"""Ports on which nothing can listen."""


def found(
    named: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    cache: Path = Path("/nonexistent"),
    ports: Mapping[str, int] = NOBODY,
) -> ModelFound:
    return find_model(
        named,
        environment=environment or {},
        settings=settings or Settings(),
        cache=cache,
        ports=ports,
    )


@asynccontextmanager
async def listening(**models: tuple[str, ...]) -> AsyncGenerator[Mapping[str, int]]:
    """Ports on which these servers list these models."""
    async with AsyncExitStack() as stack:
        ports = dict(NOBODY)
        for name, listed in models.items():
            double = await stack.enter_async_context(OpenAIDouble(Answer("Yes."), models=listed))
            ports[name] = double.port
        yield ports


def weights(folder: Path) -> Path:
    """A cache in which a file of the right size lies; it takes no room on the disk."""
    file = folder / "models" / QWEN.file
    file.parent.mkdir(parents=True)
    with file.open("wb") as opened:
        opened.truncate(QWEN.size)
    return folder


async def test_a_named_model_wins_over_everything() -> None:
    async with listening(ollama=("qwen3:8b",)) as ports:
        model = await asyncio.to_thread(
            found, "anthropic/claude-opus-5-5", environment={"OPENAI_API_KEY": "k"}, ports=ports
        )
    assert model == ModelFound(ModelSpec("anthropic", "claude-opus-5-5"), "named", spends=True)


async def test_a_key_comes_before_a_server_on_this_machine() -> None:
    async with listening(ollama=("qwen3:8b",)) as ports:
        model = await asyncio.to_thread(found, environment={"OPENROUTER_API_KEY": "k"}, ports=ports)
    assert str(model.spec) == "openrouter/openai/gpt-6.1-terra"
    assert model.how == "OPENROUTER_API_KEY in the environment"
    assert model.spends


def test_the_first_of_several_keys_is_taken() -> None:
    keys = {"NOUS_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "  "}
    assert found(environment=keys).how == "ANTHROPIC_API_KEY in the environment"


async def test_a_server_comes_before_the_local_model_and_says_which(tmp_path: Path) -> None:
    listed = ("nomic-embed-text", "qwen3:8b", "llama3.2")
    async with listening(vllm=("other",), ollama=listed) as ports:
        model = await asyncio.to_thread(found, cache=weights(tmp_path), ports=ports)
    assert str(model.spec) == "ollama/qwen3:8b"
    port = ports["ollama"]
    assert model.how == f"Ollama at 127.0.0.1:{port}, the first of its 2 models"
    assert model.base_url == f"http://127.0.0.1:{port}/v1"
    assert not model.spends


async def test_a_found_model_is_called_where_it_was_found() -> None:
    async with listening(vllm=("qwen3-8b",)) as ports:
        model = await asyncio.to_thread(found, ports=ports)
        async with open_model(
            [str(model.spec), "vllm/elsewhere"],
            credentials={},
            settings=Settings(),
            cache=Path("/nonexistent"),
            profile="analyst",
            base_url=model.base_url,
        ) as chain:
            reply = await chain.bind(()).call([HumanMessage("Ready?")])
    assert reply.text == "Yes."
    assert reply.model == "vllm/qwen3-8b"
    assert reply.cost_usd == 0


@pytest.mark.parametrize("name", ["lmstudio", "llamacpp", "vllm"])
async def test_each_server_is_found_under_its_own_name(name: str) -> None:
    async with listening(**{name: ("qwen3-8b",)}) as ports:
        model = await asyncio.to_thread(found, ports=ports)
    assert str(model.spec) == f"{name}/qwen3-8b"


async def test_a_server_without_a_model_is_passed_over_but_mentioned() -> None:
    async with listening(ollama=()) as ports:
        with pytest.raises(PersonError, match="Ollama answers, but has no model yet"):
            await asyncio.to_thread(found, ports=ports)


async def test_something_else_on_the_port_is_no_model_server() -> None:
    async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n<html>hello</html>")
        writer.close()

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with (
        await asyncio.start_server(chatter, "127.0.0.1", 0) as first,
        await asyncio.start_server(silence, "127.0.0.1", 0) as second,
    ):
        ports = {
            "llamacpp": first.sockets[0].getsockname()[1],
            "vllm": second.sockets[0].getsockname()[1],
        }
        with pytest.raises(PersonError, match="no model is there"):
            await asyncio.to_thread(found, ports=ports)


def test_the_local_model_serves_when_its_weights_are_there(tmp_path: Path) -> None:
    model = found(cache=weights(tmp_path))
    assert str(model.spec) == "local"
    assert not model.spends
    shutil.rmtree(tmp_path)


def test_without_any_model_the_four_ways_are_named() -> None:
    with pytest.raises(PersonError) as caught:
        found()
    told = str(caught.value)
    for way in ("OPENAI_API_KEY", "Ollama (1)", "retinue model pull", "--model PROVIDER/MODEL"):
        assert way in told
    assert "rehearsal" not in told


def test_nobody_is_asked_when_probing_is_off() -> None:
    with pytest.raises(PersonError):
        find_model(
            None, environment={}, settings=Settings(), cache=Path("/nonexistent"), probe=False
        )


def test_a_rehearsal_is_found_when_it_is_named() -> None:
    model = found("rehearsal")
    assert str(model.spec) == "rehearsal"
    assert not model.spends


async def test_a_server_named_without_a_model_is_asked_for_one() -> None:
    async with listening(lmstudio=("qwen3-8b",)) as ports:
        model = await asyncio.to_thread(found, "lmstudio", ports=ports)
    assert str(model.spec) == "lmstudio/qwen3-8b"
    with pytest.raises(PersonError, match=r"no LM Studio with a model answers at 127\.0\.0\.1:1"):
        found("lmstudio")


def test_a_provider_named_alone_means_its_default_model() -> None:
    assert str(found("openai").spec) == "openai/gpt-6.1-terra"


@pytest.mark.parametrize(
    ("settings", "spends"),
    [
        (Settings(custom_base_url="http://127.0.0.1:9/v1"), False),
        (Settings(custom_base_url="https://models.example/v1"), True),
    ],
    ids=["loopback", "elsewhere"],
)
def test_a_custom_server_costs_nothing_on_this_machine_only(
    settings: Settings, spends: bool
) -> None:
    assert found("custom/x", settings=settings).spends is spends


def test_a_name_that_is_no_provider_is_refused() -> None:
    with pytest.raises(NotFoundError, match=r"no model provider 'gpt-6-luna'.*provider/model"):
        found("gpt-6-luna")
