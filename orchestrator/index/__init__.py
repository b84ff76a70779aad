"""What search is built on: the embedder all profiles share, vectors as they are stored, and the
tokenizer that counts prompts.
"""

from orchestrator.index.embedder import DIMENSION, MODEL, Embedder, EmbedderMissing
from orchestrator.index.tokenizer import TOKENIZER, count_tokens
from orchestrator.index.vectors import from_int8, stack_int8, to_int8

__all__ = [
    "DIMENSION",
    "MODEL",
    "TOKENIZER",
    "Embedder",
    "EmbedderMissing",
    "count_tokens",
    "from_int8",
    "stack_int8",
    "to_int8",
]
