"""Vectors as they are stored: one signed byte per dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


def to_int8(vector: Vectors) -> bytes:
    """A vector of shape (n,) as n bytes; its length is lost, its direction kept."""
    import numpy as np

    largest = float(np.abs(vector).max())
    scale = 127 / largest if largest else 0.0
    return np.rint(vector * scale).astype(np.int8).tobytes()


def from_int8(stored: bytes) -> Vectors:
    """The vector of shape (n,) behind the bytes, normalised."""
    return stack_int8([stored])[0]


def stack_int8(stored: Sequence[bytes]) -> Vectors:
    """Many stored vectors of one dimension as shape (count, n), each normalised."""
    import numpy as np

    if not stored:
        return np.empty((0, 0), np.float32)
    matrix = np.frombuffer(b"".join(stored), np.int8).reshape(len(stored), -1)
    return normalised(matrix.astype(np.float32))


def normalised(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1; a row of zeros stays."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
