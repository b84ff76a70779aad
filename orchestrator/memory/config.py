"""What a team's file says about the memory of a member."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class MemoryConfig(BaseModel):
    """`memory:` of a member, of the supervisor, or of a team's defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_days: int | None = Field(default=None, ge=1, le=36_500)
    """What was said longer ago is deleted for good; conclusions stay. None: everything is kept."""
    observe: bool = True
    """Whether conclusions are drawn about the people who speak to it."""
    context_tokens: int = Field(default=3_000, ge=0, le=100_000)
    """Of a turn's prompt that may be filled from memory, earlier turns of the conversation
    included; 0: nothing.
    """
    refresh_turns: int = Field(default=10, ge=1, le=1_000)
    """Turns of a conversation after which what is known of the person is put together anew."""
