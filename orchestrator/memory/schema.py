"""The tables of conversations, of the words they are found by, and of their vectors.

A message that was changed or taken back stays where it is, and is left out of the views that words
and vectors are made from.
"""

from __future__ import annotations

from orchestrator.database import Database, Schema
from orchestrator.index import TOKENIZE, hidden_words, rebuild_table

TALK = "message_words"
"""Words of what people and members said."""
TOOLS = "tool_words"
"""Words of what tools gave back."""
VECTORS = "message_vectors"
STANDS = "id NOT IN (SELECT message FROM amendments)"
"""Of a message: nothing has been said in its place, and it was not taken back."""

TOOL_CHARACTERS = 20_000
"""Of a tool's result, the part that is indexed."""

_TABLES = {
    TALK: f"""
        CREATE VIRTUAL TABLE {TALK} USING fts5 (
            text, peer, hidden,
            content = 'talk', content_rowid = 'id', tokenize = '{TOKENIZE}'
        );
        """,
    TOOLS: f"""
        CREATE VIRTUAL TABLE {TOOLS} USING fts5 (
            text, peer,
            content = 'tool_talk', content_rowid = 'id', tokenize = '{TOKENIZE}'
        );
        """,
}
"""They hold no text: it is read from the messages, through a view each. The first column takes two
bytes less for each word of a message than the others.
"""

_AT_ONCE = 1_000


def rebuild_words(database: Database) -> None:
    """Index the words of all messages anew, whatever is in the tables."""
    with database.transaction():
        for table in _TABLES:
            rebuild_table(database, table)


def _index_old_messages(database: Database) -> None:
    last = 0
    while rows := database.all(
        "SELECT id, text FROM messages WHERE id > ? AND kind <> 'tool' ORDER BY id LIMIT ?",
        last,
        _AT_ONCE,
    ):
        last = rows[-1]["id"]
        for row in rows:
            if hidden := hidden_words(row["text"]):
                database.execute("UPDATE messages SET hidden = ? WHERE id = ?", hidden, row["id"])
    rebuild_words(database)


SCHEMA = Schema(
    "memory",
    (
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            platform TEXT NOT NULL,
            started TEXT NOT NULL
        );
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            session TEXT NOT NULL REFERENCES sessions (id),
            run TEXT NOT NULL,
            key TEXT NOT NULL,
            peer TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('said', 'brief', 'tool', 'result')),
            text TEXT NOT NULL,
            tokens INTEGER NOT NULL,
            extra TEXT NOT NULL DEFAULT '{}',
            at TEXT NOT NULL,
            UNIQUE (run, key)
        );
        CREATE INDEX messages_by_session ON messages (session, id);
        """,
        f"""
        ALTER TABLE messages ADD COLUMN hidden TEXT NOT NULL DEFAULT '';
        CREATE INDEX messages_by_peer ON messages (peer);
        CREATE INDEX messages_by_time ON messages (at);
        CREATE VIEW talk AS SELECT id, peer, text, hidden FROM messages WHERE kind <> 'tool';
        CREATE VIEW tool_talk AS
            SELECT id, peer, substr(text, 1, {TOOL_CHARACTERS}) AS text
            FROM messages WHERE kind = 'tool';
        {_TABLES[TALK]}
        {_TABLES[TOOLS]}
        CREATE TABLE {VECTORS} (
            stamp INTEGER PRIMARY KEY AUTOINCREMENT,
            id INTEGER NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
            vector BLOB NOT NULL
        );
        CREATE TABLE message_space (model TEXT NOT NULL);
        CREATE TABLE messages_without_vector (id INTEGER PRIMARY KEY);
        INSERT INTO messages_without_vector SELECT id FROM talk WHERE text <> '';
        CREATE TRIGGER talk_added AFTER INSERT ON messages WHEN new.kind <> 'tool' BEGIN
            INSERT INTO {TALK} (rowid, text, peer, hidden)
                VALUES (new.id, new.text, new.peer, new.hidden);
            INSERT INTO messages_without_vector SELECT new.id WHERE new.text <> '';
        END;
        CREATE TRIGGER talk_removed AFTER DELETE ON messages WHEN old.kind <> 'tool' BEGIN
            INSERT INTO {TALK} ({TALK}, rowid, text, peer, hidden)
                VALUES ('delete', old.id, old.text, old.peer, old.hidden);
            DELETE FROM messages_without_vector WHERE id = old.id;
        END;
        CREATE TRIGGER tool_talk_added AFTER INSERT ON messages WHEN new.kind = 'tool' BEGIN
            INSERT INTO {TOOLS} (rowid, text, peer)
                VALUES (new.id, substr(new.text, 1, {TOOL_CHARACTERS}), new.peer);
        END;
        CREATE TRIGGER tool_talk_removed AFTER DELETE ON messages WHEN old.kind = 'tool' BEGIN
            INSERT INTO {TOOLS} ({TOOLS}, rowid, text, peer)
                VALUES ('delete', old.id, substr(old.text, 1, {TOOL_CHARACTERS}), old.peer);
        END;
        """,
        _index_old_messages,
        f"""
        CREATE TABLE amendments (
            message INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            by INTEGER REFERENCES messages (id) ON DELETE SET NULL,
            at TEXT NOT NULL
        );
        CREATE INDEX amendments_by_new ON amendments (by);
        DROP VIEW talk;
        CREATE VIEW talk AS
            SELECT id, peer, text, hidden FROM messages
            WHERE kind <> 'tool' AND id NOT IN (SELECT message FROM amendments);
        DROP VIEW tool_talk;
        CREATE VIEW tool_talk AS
            SELECT id, peer, substr(text, 1, {TOOL_CHARACTERS}) AS text FROM messages
            WHERE kind = 'tool' AND id NOT IN (SELECT message FROM amendments);
        DROP TRIGGER talk_removed;
        DROP TRIGGER tool_talk_removed;
        CREATE TRIGGER message_superseded AFTER INSERT ON amendments BEGIN
            INSERT INTO {TALK} ({TALK}, rowid, text, peer, hidden)
                SELECT 'delete', id, text, peer, hidden
                FROM messages WHERE id = new.message AND kind <> 'tool';
            INSERT INTO {TOOLS} ({TOOLS}, rowid, text, peer)
                SELECT 'delete', id, substr(text, 1, {TOOL_CHARACTERS}), peer
                FROM messages WHERE id = new.message AND kind = 'tool';
            DELETE FROM messages_without_vector WHERE id = new.message;
            DELETE FROM {VECTORS} WHERE id = new.message;
        END;
        -- Before: the row that says whether its words are still there goes with the message.
        CREATE TRIGGER talk_removed BEFORE DELETE ON messages
        WHEN old.kind <> 'tool' AND old.id NOT IN (SELECT message FROM amendments) BEGIN
            INSERT INTO {TALK} ({TALK}, rowid, text, peer, hidden)
                VALUES ('delete', old.id, old.text, old.peer, old.hidden);
            DELETE FROM messages_without_vector WHERE id = old.id;
        END;
        CREATE TRIGGER tool_talk_removed BEFORE DELETE ON messages
        WHEN old.kind = 'tool' AND old.id NOT IN (SELECT message FROM amendments) BEGIN
            INSERT INTO {TOOLS} ({TOOLS}, rowid, text, peer)
                VALUES ('delete', old.id, substr(old.text, 1, {TOOL_CHARACTERS}), old.peer);
        END;
        """,
    ),
)
