"""The builder of the local model: finds its weights, then hands over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import PersonError
from orchestrator.model.providers import Opening
from orchestrator.model.weights import weights_path

if TYPE_CHECKING:
    from orchestrator.model.local import LocalChat


def local_model(opening: Opening) -> LocalChat:
    """`local`, or `local/PATH` for any GGUF file. Raises PersonError when no weights are there."""
    named = opening.spec.model
    weights = Path(named).expanduser() if named else weights_path(opening.cache)
    if weights is None:
        raise PersonError("the local model's weights are not here; run: retinue model pull")
    if not weights.is_file():
        raise PersonError(
            f"there is no GGUF file {str(weights)!r}; write local//absolute/path.gguf"
        )
    from orchestrator.model.local import LocalChat

    return LocalChat(weights=weights)
