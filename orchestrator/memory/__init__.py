"""What a profile remembers: its conversations, and how things said in them are found."""

from orchestrator.memory.config import MemoryConfig
from orchestrator.memory.conversations import Conversations, Message
from orchestrator.memory.index import MessageIndex, Scope
from orchestrator.memory.schema import VECTORS as MESSAGE_VECTORS
from orchestrator.memory.search import ConversationSearch, Found, moment

__all__ = [
    "MESSAGE_VECTORS",
    "ConversationSearch",
    "Conversations",
    "Found",
    "MemoryConfig",
    "Message",
    "MessageIndex",
    "Scope",
    "moment",
]
