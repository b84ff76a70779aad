"""What search is built on: the embedder all profiles share, how vectors are stored and searched,
words for full-text search, and the tokenizer that counts prompts.
"""

from orchestrator.index.chroma import ChromaClients
from orchestrator.index.chroma_vectors import open_vectors
from orchestrator.index.embedder import DIMENSION, MODEL, Embedder, EmbedderMissing
from orchestrator.index.nearest import Embed, StoredVectors, VectorSearch
from orchestrator.index.tokenizer import TOKENIZER, count_tokens, pieces
from orchestrator.index.vectors import from_int8, stack_int8, to_int8
from orchestrator.index.words import (
    TOKENIZE,
    content_words,
    hidden_words,
    match_any,
    rebuild_table,
)

__all__ = [
    "DIMENSION",
    "MODEL",
    "TOKENIZE",
    "TOKENIZER",
    "ChromaClients",
    "Embed",
    "Embedder",
    "EmbedderMissing",
    "StoredVectors",
    "VectorSearch",
    "content_words",
    "count_tokens",
    "from_int8",
    "hidden_words",
    "match_any",
    "open_vectors",
    "pieces",
    "rebuild_table",
    "stack_int8",
    "to_int8",
]
