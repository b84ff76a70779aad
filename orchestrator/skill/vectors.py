"""The nearest skills by meaning."""

from orchestrator.index import Embed, StoredVectors, VectorSearch

TABLE = "skill_vectors"
"""Of the profile's `memory.db`: the vectors of its skills."""

__all__ = ["TABLE", "Embed", "StoredVectors", "VectorSearch"]
