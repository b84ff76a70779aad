"""What a profile remembers: its conversations, and how things said in them are found."""

from orchestrator.memory.config import MemoryConfig
from orchestrator.memory.context import Context, PromptMemory, Turn
from orchestrator.memory.conversations import Conversations, Message
from orchestrator.memory.embedded import EmbeddedUserModel
from orchestrator.memory.index import MessageIndex, Scope
from orchestrator.memory.schema import VECTORS as MESSAGE_VECTORS
from orchestrator.memory.search import ConversationSearch, Found, moment
from orchestrator.memory.user_model import (
    AskAnswer,
    AskLevel,
    Conclusion,
    QueueStatus,
    Thinker,
    UserModel,
)

__all__ = [
    "MESSAGE_VECTORS",
    "AskAnswer",
    "AskLevel",
    "Conclusion",
    "Context",
    "ConversationSearch",
    "Conversations",
    "EmbeddedUserModel",
    "Found",
    "MemoryConfig",
    "Message",
    "MessageIndex",
    "PromptMemory",
    "QueueStatus",
    "Scope",
    "Thinker",
    "Turn",
    "UserModel",
    "moment",
]
