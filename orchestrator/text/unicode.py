"""Text from elsewhere as Unicode that can be stored and sent."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """The text with the halves of a surrogate pair joined, and `�` for a half that stands alone."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
