"""From messages to conclusions: rules at once, a model in batches, and nothing lost between.

The rules follow a cursor over the messages; what a model should read besides stands in a queue. A
batch is held by a process while its model thinks, and is free again when that process is gone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.database import Database, Schema, stored
from orchestrator.errors import PersonError, RetinueError, RunStopped, ToolRetry
from orchestrator.memory import extraction, rules
from orchestrator.memory.conclusion_store import SCHEMA as CONCLUSIONS
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.extraction import Heard
from orchestrator.memory.forgetting import Forgetting
from orchestrator.memory.schema import SCHEMA as CONVERSATIONS
from orchestrator.memory.user_model import RULE, QueueStatus, Thinker

log = logging.getLogger(__name__)

SCHEMA = Schema(
    "derivation",
    (
        """
        CREATE TABLE rules_cursor (last INTEGER NOT NULL);
        INSERT INTO rules_cursor VALUES (0);
        CREATE TABLE derivation (
            message INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            tokens INTEGER NOT NULL,
            queued TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            not_before TEXT NOT NULL DEFAULT '',
            holder INTEGER,
            held_until TEXT,
            error TEXT NOT NULL DEFAULT ''
        );
        CREATE TRIGGER newest_message_removed AFTER DELETE ON messages
        WHEN NOT EXISTS (SELECT 1 FROM messages WHERE id > old.id) BEGIN
            UPDATE rules_cursor SET last = min(last, old.id - 1);  -- its number is given again
        END;
        """,
    ),
)

_UNREAD = "id > (SELECT last FROM rules_cursor) AND id NOT IN (SELECT message FROM amendments)"
_AT_ONCE = 200
"""Messages of one transaction of the rules."""
_BATCH_TOKENS = 512
"""Waiting with fewer, for a batch costs a model call."""
_MOST_TOKENS = 1_024
_MOST_MESSAGES = 20
_SMALL_MESSAGES = 3
"""Of a batch for a model that only reads."""
_MOST_AGE = timedelta(hours=12)
"""After which a batch is not waited for any more."""
_HELD = timedelta(minutes=10)
_ATTEMPTS = 5
_PAUSE = timedelta(minutes=2)
"""After a failure, doubled each time."""
_LONGEST_PAUSE = timedelta(minutes=30)


class Derivation:
    """The queue of one profile, whose address is the observer."""

    def __init__(
        self,
        database: Database,
        observer: str,
        conclusions: Conclusions,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        database.migrate(CONVERSATIONS)
        database.migrate(CONCLUSIONS)
        database.migrate(SCHEMA)
        self._database = database
        self._observer = observer
        self._conclusions = conclusions
        self._forgetting = Forgetting(database, conclusions)
        self._now = now

    def read(self, most: int | None = None) -> int:
        """Let the rules read what was said since, at most about so many messages; how many. Each
        stretch is one transaction: a message is read wholly or not at all, and never twice.
        """
        done = 0
        while most is None or done < most:
            rows = self._unread(_AT_ONCE)
            if not rows:
                break
            found = [each for each in map(self._read, rows) if each is not None]
            with self._database.transaction():
                if self._unread(len(rows)) != rows:
                    continue  # somebody else has read or forgotten some of it meanwhile
                for heard, statements in found:
                    self._keep(heard, statements)
                self._database.execute("UPDATE rules_cursor SET last = ?", rows[-1]["id"])
            done += len(rows)
        return done

    def skip(self) -> None:
        """Leave what was said since unread for ever."""
        with self._database.transaction():
            self._database.execute(
                "UPDATE rules_cursor SET last = max(last, "
                "(SELECT ifnull(max(id), 0) FROM messages))"
            )
            self._database.execute("DELETE FROM derivation")

    async def think(self, thinker: Thinker, *, flush: bool = False, batches: int = 4) -> int:
        """Let a model read what is queued, in batches of one peer's messages; how many messages
        were understood. A failure leaves them for later, with a pause; after some that are the
        answers' fault, and not the provider's, until `retry`. Raises PersonError when the model
        cannot be used as things are; that is no failure of the messages.
        """
        done = 0
        for _ in range(batches):
            batch = await self._claimed(thinker, flush=flush)
            if not batch:
                break
            try:
                facts = await extraction.extract(batch, thinker)
            except RunStopped as error:
                await asyncio.to_thread(self._release, batch)
                log.warning("%s goes on reading later: %s", self._observer, error)
                break
            except PersonError:
                await asyncio.to_thread(self._release, batch)
                raise
            except RetinueError as error:
                of_this_batch = isinstance(error, ToolRetry)
                await asyncio.to_thread(self._put_back, batch, str(error), spent=of_this_batch)
                log.warning("%s has not understood a batch: %s", self._observer, error)
                if of_this_batch:
                    continue
                break
            except Exception as error:
                await asyncio.to_thread(self._put_back, batch, repr(error), spent=True)
                raise
            except BaseException:
                await asyncio.shield(asyncio.to_thread(self._release, batch))
                raise
            done += await asyncio.to_thread(self._take_in, batch, facts, thinker.name)
        return done

    def status(self) -> QueueStatus:
        now = self._now()
        unread = self._database.one(f"SELECT COUNT(*) AS n FROM messages WHERE {_UNREAD}")
        groups = self._database.all(
            "SELECT holder, held_until, attempts >= ? AS failed, COUNT(*) AS n, "
            "SUM(tokens) AS tokens FROM derivation GROUP BY holder, held_until, failed",
            _ATTEMPTS,
        )
        working = [group for group in groups if _is_held(group, now)]
        failed = [group for group in groups if group["failed"] and group not in working]
        pending = [group for group in groups if group not in working and group not in failed]
        error = self._database.one(
            "SELECT error FROM derivation WHERE error <> '' ORDER BY not_before DESC LIMIT 1"
        )
        return QueueStatus(
            unread=unread["n"] if unread is not None else 0,
            pending=sum(group["n"] for group in pending),
            pending_tokens=sum(group["tokens"] for group in pending),
            working=sum(group["n"] for group in working),
            failed=sum(group["n"] for group in failed),
            error=error["error"] if error is not None else "",
        )

    def retry(self) -> int:
        """Try again, and at once, what has failed; how many messages that are."""
        return self._database.execute(
            "UPDATE derivation SET attempts = 0, not_before = '', error = '' WHERE error <> ''"
        )

    def _unread(self, most: int) -> Sequence[Any]:
        return self._database.all(
            "SELECT id, peer, kind, text, tokens, extra, at FROM messages "
            f"WHERE {_UNREAD} ORDER BY id LIMIT ?",
            most,
        )

    def _read(self, row: Any) -> tuple[Heard, Sequence[rules.Statement]] | None:
        heard = _heard(row)
        if heard is None or heard.peer == self._observer:
            return None
        if not self._conclusions.peers.observes(heard.peer):
            return None
        return heard, list(rules.read(heard.text))

    def _keep(self, heard: Heard, statements: Sequence[rules.Statement]) -> None:
        for statement in statements:
            text = statement.text.replace("{who}", heard.peer)
            if self._is_forgotten(heard.peer, text, heard.at):
                continue
            self._conclusions.add(
                self._observer,
                heard.peer,
                text,
                kind=statement.kind,
                by=RULE,
                at=heard.at,
                sources=(heard.message,),
                slot=statement.slot,
                value=statement.value,
                change=statement.change,
                sure=statement.sure,
            )
        if rules.may_tell(heard.text):
            self._database.execute(
                "INSERT OR IGNORE INTO derivation (message, tokens, queued) VALUES (?, ?, ?)",
                heard.message,
                max(1, len(heard.text) // 4),
                stored(self._now()),
            )

    async def _claimed(self, thinker: Thinker, *, flush: bool) -> Sequence[Heard]:
        """What `_claim` takes, given back when the work is called off meanwhile."""
        claiming = asyncio.create_task(asyncio.to_thread(self._claim, thinker, flush=flush))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            await asyncio.to_thread(self._release, await claiming)
            raise

    def _claim(self, thinker: Thinker, *, flush: bool) -> Sequence[Heard]:
        """Take the oldest messages of one peer that make a batch."""
        most = _MOST_MESSAGES if thinker.careful else _SMALL_MESSAGES
        now = self._now()
        with self._database.transaction():
            rows = self._database.all(
                "SELECT d.*, m.id, m.peer, m.kind, m.text, m.extra, m.at FROM derivation d "
                "JOIN messages m ON m.id = d.message WHERE d.attempts < ? "
                "AND (d.not_before <= ? OR d.not_before > ?) ORDER BY d.message LIMIT 500",
                _ATTEMPTS,
                stored(now),
                stored(now + _LONGEST_PAUSE),  # written before the clock was put back
            )
            free = [row for row in rows if not _is_held(row, now)]
            batch = _batch(free, most, now, flush=flush)
            for heard in batch:
                self._database.execute(
                    "UPDATE derivation SET holder = ?, held_until = ?, attempts = attempts + 1 "
                    "WHERE message = ?",
                    os.getpid(),
                    stored(now + _HELD),
                    heard.message,
                )
        return batch

    def _take_in(self, batch: Sequence[Heard], facts: Sequence[extraction.Fact], name: str) -> int:
        """Keep what was found and take the batch off the queue, both or neither; how many messages
        that were. What was forgotten meanwhile, or taken by another process, stays as it is.
        """
        with self._database.transaction():
            ours = {heard.message: heard for heard in batch if self._holds(heard)}
            known = self._known([fact.about for fact in facts if fact.about is not None])
            for fact in facts:
                if (heard := ours.get(fact.message)) is None:
                    continue
                # What is said of others is the speaker's view of them, not theirs, and not ours.
                observer = self._observer if fact.about is None else heard.peer
                observed = heard.peer if fact.about is None else known[fact.about]
                if self._is_forgotten(observed, fact.text, heard.at):
                    continue
                self._conclusions.add(
                    observer,
                    observed,
                    fact.text,
                    kind=fact.kind,
                    by=name,
                    at=heard.at,
                    sources=(heard.message,),
                )
            for message in ours:
                self._database.execute("DELETE FROM derivation WHERE message = ?", message)
            return len(ours)

    def _holds(self, heard: Heard) -> bool:
        row = self._database.one("SELECT holder FROM derivation WHERE message = ?", heard.message)
        return row is not None and row["holder"] == os.getpid()

    def _is_forgotten(self, observed: str, text: str, said: datetime) -> bool:
        """Whether it was forgotten after it had been said."""
        return any(
            self._forgetting.is_forgotten_conclusion(name, text)
            for name in self._conclusions.peers.names(observed)
        ) and any(each.at >= said for each in self._forgetting.tombstones())

    def _known(self, names: Sequence[str]) -> Mapping[str, str]:
        """For each name the peer who has spoken under it; else the name itself."""
        if not names:
            return {}
        peers = [row["peer"] for row in self._database.all("SELECT DISTINCT peer FROM messages")]
        known = {peer.casefold(): peer for peer in peers}
        return {name: name if name in peers else known.get(name.casefold(), name) for name in names}

    def _put_back(self, batch: Sequence[Heard], error: str, *, spent: bool) -> None:
        """Try again after a pause; `spent`: not for ever."""
        now = self._now()
        with self._database.transaction():
            for heard in batch:
                row = self._database.one(
                    "SELECT attempts FROM derivation WHERE message = ?", heard.message
                )
                if row is not None and self._holds(heard):
                    attempts = row["attempts"] if spent else min(row["attempts"], _ATTEMPTS - 1)
                    pause = min(_PAUSE * 2 ** (attempts - 1), _LONGEST_PAUSE)
                    self._database.execute(
                        "UPDATE derivation SET holder = NULL, held_until = NULL, attempts = ?, "
                        "not_before = ?, error = ? WHERE message = ?",
                        attempts,
                        stored(now + pause),
                        error[:300],
                        heard.message,
                    )

    def _release(self, batch: Sequence[Heard]) -> None:
        """Nobody's fault: the work was called off."""
        with self._database.transaction():
            for heard in batch:
                self._database.execute(
                    "UPDATE derivation SET holder = NULL, held_until = NULL, "
                    "attempts = attempts - 1 WHERE message = ? AND holder = ?",
                    heard.message,
                    os.getpid(),
                )


def _batch(rows: Sequence[Any], most: int, now: datetime, *, flush: bool) -> Sequence[Heard]:
    """The first peer's messages that are enough, or have waited for long enough."""
    peers: dict[str, list[tuple[Heard, Any]]] = {}
    for row in rows:
        heard = _heard(row)
        if heard is not None:
            peers.setdefault(heard.peer, []).append((heard, row))
    for waiting in peers.values():
        first = waiting[0][1]
        age = now - datetime.fromisoformat(first["queued"])
        is_new = timedelta(0) <= age < _MOST_AGE  # it is old, too, when the clock was put back
        enough = sum(row["tokens"] for _, row in waiting) >= _BATCH_TOKENS
        if is_new and not (flush or enough or first["attempts"]):
            continue
        batch: list[Heard] = []
        room = _MOST_TOKENS
        for heard, row in waiting[:most]:
            if batch and row["tokens"] > room:
                break
            room -= row["tokens"]
            batch.append(heard)
            if row["attempts"]:
                break  # what has failed goes alone, for one message may be to blame for all
        return batch
    return ()


def _heard(row: Any) -> Heard | None:
    """What a peer said in a message: of a brief, the person's own words that came with it."""
    peer, text = row["peer"], row["text"]
    if row["kind"] == "brief":
        extra: dict[str, Any] = json.loads(row["extra"])
        peer, text = extra.get("person"), extra.get("words")
    elif row["kind"] != "said":
        return None
    if not (isinstance(peer, str) and isinstance(text, str) and peer and text):
        return None
    return Heard(row["id"], peer, text, datetime.fromisoformat(row["at"]))


def _is_held(row: Any, now: datetime) -> bool:
    if row["holder"] is None:
        return False
    if not now <= datetime.fromisoformat(row["held_until"]) <= now + _HELD:
        return False
    with suppress(PermissionError):
        try:
            os.kill(row["holder"], 0)
        except ProcessLookupError:
            return False
    return True
