from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from orchestrator.index import DIMENSION, Embedder, EmbedderMissing, embedder

WORDS = ("the", "harbour", "master", "counted", "grain", "ships", "before", "the", "storm")


@pytest.fixture(scope="module")
def shared() -> Embedder:
    return Embedder()


@pytest.mark.parametrize(
    ("one", "other", "cosine"),
    [
        ("The new movie is awesome", "The new movie is so great", 0.8939),
        ("The cat sits outside", "The dog plays in the garden", 0.2838),
        ("A man is playing guitar", "A woman watches TV", -0.0327),
    ],
)
def test_cosines_are_those_the_model_is_documented_with(
    shared: Embedder, one: str, other: str, cosine: float
) -> None:
    vectors = shared.embed([one, other])
    assert abs(float(vectors[0] @ vectors[1]) - cosine) < 0.005


def test_vectors_are_normalised_float32(shared: Embedder) -> None:
    vectors = shared.embed(["a", "b c d", ""])
    assert vectors.shape == (3, DIMENSION)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(shared: Embedder) -> None:
    assert shared.embed([]).shape == (0, DIMENSION)


def test_a_text_has_the_same_vector_alone_and_in_a_batch() -> None:
    texts = [" ".join(WORDS[: 1 + n % 9] * (1 + n % 5)) for n in range(24)]
    together = Embedder().embed(texts)
    alone = Embedder()
    for text, vector in zip(texts, together, strict=True):
        assert float(alone.embed([text])[0] @ vector) > 0.9999


def test_equal_texts_share_one_vector_and_keep_their_places(shared: Embedder) -> None:
    vectors = shared.embed(["grain", "storm", "grain"])
    assert np.array_equal(vectors[0], vectors[2])
    assert not np.array_equal(vectors[0], vectors[1])


def test_what_stands_after_256_tokens_does_not_count(shared: Embedder) -> None:
    start = "harbour " * 300
    one, other = shared.embed([start + "quantum", start + "bakery"])
    assert np.array_equal(one, other)


def test_a_remembered_text_needs_no_model(tmp_path: Path) -> None:
    memory = Embedder(remembered=2)
    first = memory.embed(["one", "two"])
    memory._model, memory._session = tmp_path / "gone", None  # pyright: ignore[reportPrivateUsage]  takes the model away
    assert np.array_equal(memory.embed(["two", "one"]), first[::-1])
    with pytest.raises(EmbedderMissing):
        memory.embed(["three"])


def test_half_a_surrogate_pair_is_embedded(shared: Embedder) -> None:
    assert shared.embed(["broken \ud83d emoji"]).shape == (1, DIMENSION)


def test_threads_share_one_embedder() -> None:
    embedder = Embedder()
    texts = [f"ship number {n}" for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(embedder.embed, [[text] for text in texts]))
    assert np.allclose(np.concatenate(rows), Embedder().embed(texts), atol=1e-4)


async def test_it_can_be_awaited(shared: Embedder) -> None:
    assert (await shared.aembed(["grain"])).shape == (1, DIMENSION)


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(EmbedderMissing, match="pip install"):
        Embedder(tmp_path / "model.onnx").embed(["x"])


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"half of it")
    with pytest.raises(EmbedderMissing, match="damaged"):
        Embedder(damaged).embed(["x"])


def test_the_installed_weights_are_the_ones_named() -> None:
    installed = embedder._installed_model()  # pyright: ignore[reportPrivateUsage]  the file itself is meant
    assert hashlib.sha256(installed.read_bytes()).hexdigest() == embedder.MODEL_SHA256


def test_importing_the_room_loads_no_heavy_library() -> None:
    heavy = "{'numpy', 'onnxruntime', 'tokenizers'}"
    code = f"import sys, orchestrator.index; sys.exit(str({heavy} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
