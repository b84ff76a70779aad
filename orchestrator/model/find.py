"""Which model serves when none is named: a key, a server on this machine, the local model."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from orchestrator.errors import PersonError
from orchestrator.model.base import ModelFound, ModelSpec
from orchestrator.model.prices import FREE, price_of
from orchestrator.model.providers import base_url_of, complete, provider_named
from orchestrator.settings import Settings

_PROBE_SECONDS = 0.3
_ANSWER_BYTES = 1_000_000

_KEYED = ("openai", "anthropic", "openrouter", "nous")
"""Providers whose key is looked for, in this order."""

_NOT_FOR_CHAT = re.compile(r"embed|rerank|whisper|tts|\bbge\b|clip", re.IGNORECASE)


LOOPBACK: Mapping[str, int] = {"ollama": 11434, "lmstudio": 1234, "llamacpp": 8080, "vllm": 8000}
"""Servers people run on their own machine, and their ports on 127.0.0.1."""


def find_model(
    named: str | None,
    *,
    environment: Mapping[str, str],
    settings: Settings,
    cache: Path,
    probe: bool = True,
    ports: Mapping[str, int] = LOOPBACK,
) -> ModelFound:
    """The named model, else a key's, else a loopback server's, else the local one.

    Takes up to 0.3 s when servers are probed, at `ports` of 127.0.0.1. A rehearsal is found only
    when it is named. Raises PersonError naming the ways to have a model, and NotFoundError for a
    provider that does not exist.
    """
    if named:
        return _named(ModelSpec.parse(named), environment, settings, ports if probe else {})
    for name in _KEYED:
        provider = provider_named(name)
        if provider.key and environment.get(provider.key, "").strip():
            spec = ModelSpec(name, provider.model)
            return ModelFound(spec, f"{provider.key} in the environment", spends=True)
    answers = _probe(ports) if probe else {}
    for name, models in answers.items():
        if models:
            return _served(name, ports[name], models)
    from orchestrator.model.weights import weights_path  # imports httpx

    if weights_path(cache) is not None:
        return ModelFound(ModelSpec("local"), "the local model's weights are here")
    raise PersonError(_no_model(answers, ports))


def _named(
    spec: ModelSpec,
    environment: Mapping[str, str],
    settings: Settings,
    ports: Mapping[str, int],
) -> ModelFound:
    provider = provider_named(spec.provider)
    if not spec.model and spec.provider in ports:
        port = ports[spec.provider]
        if models := _probe({spec.provider: port}).get(spec.provider):
            return _served(spec.provider, port, models)
        raise PersonError(
            f"no {provider.title} with a model answers at 127.0.0.1:{port}; start it, or name one: "
            f"{spec.provider}/MODEL"
        )
    spec = complete(spec)
    base_url = base_url_of(provider, environment, settings)
    return ModelFound(spec, "named", spends=price_of(spec, base_url) != FREE)


def _served(name: str, port: int, models: Sequence[str]) -> ModelFound:
    others = f", the first of its {len(models)} models" if len(models) > 1 else ""
    return ModelFound(
        ModelSpec(name, models[0]),
        f"{provider_named(name).title} at 127.0.0.1:{port}{others}",
        f"http://127.0.0.1:{port}/v1",
    )


def _no_model(answers: Mapping[str, Sequence[str]], ports: Mapping[str, int]) -> str:
    titles = {name: provider_named(name).title for name in ports}
    keys = " or ".join(str(provider_named(name).key) for name in _KEYED)
    servers = ", ".join(f"{titles[name]} ({port})" for name, port in ports.items())
    empty = "".join(f"; {titles[name]} answers, but has no model yet" for name in answers)
    return (
        "no model is there; four ways to have one:\n"
        f"  a key            set {keys}\n"
        f"  a server         start {servers} on this machine{empty}\n"
        "  the local model  retinue model pull (1.1 GB)\n"
        "  a name           --model PROVIDER/MODEL, or `model:` in settings.yaml; "
        "retinue model list shows the providers"
    )


def _probe(ports: Mapping[str, int]) -> dict[str, Sequence[str]]:
    """The servers that answer, in the given order, with their chat models."""
    # In a thread of its own, since the caller may be inside an event loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _ask_all(ports)).result()


async def _ask_all(ports: Mapping[str, int]) -> dict[str, Sequence[str]]:
    answers = await asyncio.gather(*(_ask(port) for port in ports.values()))
    return {name: m for name, m in zip(ports, answers, strict=True) if m is not None}


async def _ask(port: int) -> Sequence[str] | None:
    """The chat models a server lists; None when nothing that lists models answers in time."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            body = await _get(port, "/v1/models")
        data = cast("dict[str, Any]", json.loads(body))
        names = [str(model["id"]) for model in data["data"] or ()]
    except (OSError, EOFError, ValueError, TypeError, LookupError, asyncio.LimitOverrunError):
        return None
    return [name for name in names if not _NOT_FOR_CHAT.search(name)]


async def _get(port: int, path: str) -> bytes:
    """The body of a small answer; HTTP/1.0, so that it never comes in chunks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_ANSWER_BYTES)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        if status.split()[1:2] != ["200"]:
            raise ConnectionError(f"answered {status!r}")
        headers = {name.lower(): value for name, _, value in (f.partition(":") for f in fields)}
        length = int(headers.get("content-length", -1))
        if length > _ANSWER_BYTES:
            raise ValueError("too long for a list of models")
        return await (reader.readexactly(length) if length >= 0 else reader.read(_ANSWER_BYTES))
    finally:
        writer.close()
