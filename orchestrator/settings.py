"""Choices of the person that hold for every team: `$RETINUE_HOME/settings.yaml`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Read by `profile.load_settings`; every key may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    """Model of every member that names none, as `provider/model`."""
    custom_base_url: str | None = None
    """Base URL of the OpenAI-compatible server behind the provider `custom`."""
    searxng_url: str | None = None
    """SearXNG server that `web_search` asks; without it a search key in the environment is used."""
    keep_unfinished_days: int = 14
    """How long failed and limited runs can be resumed."""
    learn: bool = True
    """Whether members make skills of finished work, and judge those they have by what comes of it.
    """
    skill_nudge_turns: int = 10
    """Turns of a conversation after which a member is asked to write down what it has learned; 0:
    never.
    """
    approve_skills: bool = False
    """Whether a person must approve a skill that a member made before it serves."""
