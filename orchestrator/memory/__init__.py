"""What a profile remembers: its conversations."""

from orchestrator.memory.conversations import Conversations, Message

__all__ = ["Conversations", "Message"]
