"""The one tokenizer that counts prompts and feeds the embedder, vendored in `data/`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER = "all-MiniLM-L6-v2 WordPiece"
"""Name shown beside every count; a provider's own count differs by some percent."""

_LONGEST_KEPT = 1_000
"""Characters of a text whose count is remembered: turns of a conversation, lines of a card."""

_FILE = Path(__file__).parent / "data" / "tokenizer.json"


def count_tokens(text: str) -> int:
    """How many tokens `text` has, without the marks of its start and end."""
    return _remembered(text) if len(text) <= _LONGEST_KEPT else len(token_ids(text, marked=False))


@functools.lru_cache(2_048)
def _remembered(text: str) -> int:
    """A prompt has mostly what the one before it had."""
    return len(token_ids(text, marked=False))


def token_ids(text: str, *, marked: bool) -> Sequence[int]:
    """The ids the model knows the text's tokens by; `marked`: with `[CLS]` and `[SEP]` around."""
    whole = text.encode(errors="replace").decode()  # half a surrogate pair is no text to Rust
    return _tokenizer().encode(whole, add_special_tokens=marked).ids


def pieces(text: str, size: int, most: int) -> Sequence[str]:
    """The beginning of `text` in consecutive pieces of `size` tokens, at most `most` of them."""
    whole = text.encode(errors="replace").decode()
    ends = _tokenizer().encode(whole, add_special_tokens=False).offsets
    starts = range(0, min(len(ends), size * most), size)
    return [whole[ends[at][0] : ends[min(at + size, len(ends)) - 1][1]] for at in starts]


@functools.cache
def _tokenizer() -> Tokenizer:
    """Loaded on first use (about 40 ms), without truncation or padding."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(_FILE))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded
