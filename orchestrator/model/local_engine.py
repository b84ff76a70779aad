"""A GGUF file loaded into this process, asked one thing at a time."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import Any

from orchestrator.errors import MissingExtraError, ModelUnavailable, PersonError
from orchestrator.model.failures import ProviderFault

Chunk = dict[str, Any]
"""One event of a streamed chat completion, in OpenAI's format."""

Shape = str | Mapping[str, Any]
"""What a reply must look like: a grammar in GBNF, or a JSON schema."""

_BATCH = 128
"""Tokens of a prompt between two looks at whether anybody still wants the reply."""
_PREFIX_MEGABYTES = 512
"""Memory for prefixes that other requests have pushed out; some 18,000 tokens of Qwen 1.5B."""


_SILENCE_SECONDS = 20
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON as Python writes it: line breaks and indents are tokens too."""


@cache
def engine_of(path: Path, window: int) -> Engine:
    """The one engine of that file in this process."""
    return Engine(path, window)


class Engine:
    """Loads its file when first asked, in a thread of its own, where requests wait their turn."""

    def __init__(self, path: Path, window: int) -> None:
        self._path = path
        self._window = window
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="local-model")
        self._server: Any = None

    async def stream(
        self,
        request: Mapping[str, Any],
        *,
        shape: Shape | None,
        timeout_seconds: float,
    ) -> AsyncGenerator[Chunk]:
        """The chunks of a chat completion; closing the generator ends the work on it.

        An empty chunk means that the request still waits for its turn, or is being read.

        The time limit runs from when it is this request's turn. Raises ModelUnavailable when it is
        over, ProviderFault when the request is refused, PersonError when the file cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[Chunk | None] = asyncio.Queue()
        unwanted = threading.Event()

        def give(chunk: Chunk) -> bool:
            if not unwanted.is_set():
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            return unwanted.is_set()

        work = loop.run_in_executor(self._worker, self._run, request, shape, timeout_seconds, give)
        work.add_done_callback(lambda _: chunks.put_nowait(None))
        try:
            while (chunk := await _next(chunks)) is not None:
                yield chunk
            await work
        finally:
            unwanted.set()
            work.cancel()

    def _run(
        self,
        request: Mapping[str, Any],
        shape: Shape | None,
        timeout_seconds: float,
        give: Callable[[Chunk], bool],
    ) -> None:
        if self._server is None:
            self._server = _load(self._path, self._window)
        deadline = time.monotonic() + timeout_seconds
        late = False
        refusal: dict[str, Any] | None = None

        def on_chunk(chunk: Chunk) -> bool:
            nonlocal late, refusal
            late = time.monotonic() > deadline
            refusal = chunk.get("error")
            return late or refusal is not None or give(chunk)

        streamed = {**request, "stream": True, "return_progress": True}
        streamed["stream_options"] = {"include_usage": True}
        try:
            if shape is not None:
                streamed["grammar"] = _grammar(shape)
            self._server.handle_chat_completions(streamed, on_chunk)
        except ValueError as error:
            raise ProviderFault(str(error), status=400) from error
        if refusal is not None:
            raise ProviderFault(str(refusal.get("message")), status=int(refusal.get("code", 500)))
        if late:
            raise ModelUnavailable(
                f"the local model was not done after {timeout_seconds:g} seconds; the machine is "
                "too busy or too slow for it"
            )


async def _next(chunks: asyncio.Queue[Chunk | None]) -> Chunk | None:
    try:
        async with asyncio.timeout(_SILENCE_SECONDS):
            return await chunks.get()
    except TimeoutError:
        return {}


def _runtime() -> Any:
    """The package `xllamacpp`, which comes without types."""
    try:
        return importlib.import_module("xllamacpp")
    except ModuleNotFoundError as error:
        raise MissingExtraError("the local model", "local") from error


def _grammar(shape: Shape) -> str:
    if isinstance(shape, str):
        return shape
    return _runtime().json_schema_to_grammar({**shape, "x-guidance": _COMPACT})


def _load(path: Path, window: int) -> Any:
    if not path.is_file():
        raise PersonError(f"there is no model file {str(path)!r}")
    runtime = _runtime()

    # The server insists on listening somewhere: on a socket that is gone, behind a key nobody has,
    # before anybody else could find it.
    folder = Path(tempfile.mkdtemp(prefix="retinue-local-"))
    params = runtime.CommonParams()
    params.hostnames = [str(folder / "model.sock")]
    params.api_keys = [token_hex(16)]
    params.ui = False
    params.endpoint_slots = False
    params.n_threads_http = 1

    params.model.path = str(path)
    params.n_ctx = window
    params.n_parallel = 1
    params.n_batch = _BATCH
    params.n_ubatch = _BATCH
    params.cache_ram_mib = _PREFIX_MEGABYTES
    params.warmup = False
    params.verbosity = -1
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    # Threads that write tokens wait for each other hundreds of times a token: with one on every
    # core, a single other busy process makes them twenty times slower. Reading does not suffer.
    params.cpuparams.n_threads = max(1, cores - 1)
    params.cpuparams_batch.n_threads = cores
    try:
        return runtime.Server(params)
    except RuntimeError as error:
        raise PersonError(
            f"cannot load {str(path)!r}: it is no GGUF file, or memory is short"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
