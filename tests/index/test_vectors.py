from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orchestrator.index import DIMENSION, from_int8, stack_int8, to_int8
from orchestrator.index.vectors import normalised


def _random(seed: int) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    return normalised(vector[None])[0]


@given(st.integers(0, 2**32 - 1))
def test_a_stored_vector_keeps_its_direction(seed: int) -> None:
    vector = _random(seed)
    stored = to_int8(vector)
    assert len(stored) == DIMENSION
    assert float(from_int8(stored) @ vector) > 0.9995


def test_many_are_read_at_once() -> None:
    vectors = [_random(seed) for seed in range(5)]
    matrix = stack_int8([to_int8(vector) for vector in vectors])
    assert matrix.shape == (5, DIMENSION)
    assert np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)
    assert np.array_equal(matrix[3], from_int8(to_int8(vectors[3])))


def test_a_vector_of_zeros_and_an_empty_store_are_harmless() -> None:
    zeros = np.zeros(DIMENSION, np.float32)
    assert np.array_equal(from_int8(to_int8(zeros)), zeros)
    assert stack_int8([]).shape[0] == 0
