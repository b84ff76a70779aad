"""What holds beside what: a statement counts again, replaces, ends or contradicts another."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.index import content_words
from orchestrator.memory.conclusion_store import ConclusionStore, cleaned, norm
from orchestrator.memory.rules import Change, holds_one, told
from orchestrator.memory.user_model import RULE, Kind, Level
from orchestrator.memory.values import ends
from orchestrator.text.credentials import LEFT_OUT

_NO_MORE = "not "
"""Begins the value of what says that another value holds no more."""
_OF_ONESELF = frozenset({"identity", "attribute"})
"""Kinds that a model does not keep apart."""


class Beliefs(ConclusionStore):
    """Conclusions whose slots are kept in order."""

    def add(
        self,
        observer: str,
        observed: str,
        text: str,
        *,
        level: Level = "explicit",
        kind: Kind = "attribute",
        by: str,
        at: datetime,
        sources: Collection[int] = (),
        premises: Collection[int] = (),
        slot: str = "",
        value: str = "",
        change: Change = "adds",
        sure: bool = True,
    ) -> int | None:
        """Keep a statement, or count it once more when it is there; its id. Credentials are taken
        out of it; None when nothing else is left, when a premise is gone, when the peer is not to
        be observed, or when an end that is not `sure` ends nothing.

        A message that says the same thing twice counts once. What another statement of the same
        slot means `change` says; it is judged among the valid ones of all names of the peer. Within
        a session the later message replaces, whatever the clock says; across sessions the one that
        was said later. What a model reads where a rule has read the same shares its slot and end.
        """
        text = cleaned(text)
        if not text or (LEFT_OUT in text and len(content_words(text.replace(LEFT_OUT, ""))) < 2):
            return None
        with self._database.transaction():
            if len(self.get(premises)) < len(set(premises)) or not self.peers.observes(observed):
                return None
            explicit = level == "explicit" and not slot
            if explicit and (twin := self._twin(observer, observed, text, kind, sources)):
                return self._add_beside(twin, text, kind, by, at, sources)
            read = told(text, observed) if explicit else None
            if read is not None:
                kind, slot, value, change = read.kind, read.slot, read.value, read.change
            if change == "ends":
                value = f"{_NO_MORE}{value}"
            held = self._held(observer, observed, slot)
            different = [
                each for each, said in held.items() if not (said == value or _is_end(said))
            ]
            replaces = change == "replaces"
            giving_way = [
                each for each, said in held.items() if _gives_way(slot, said, value, replaces)
            ]
            later = self._said_later(giving_way, at, sources)
            if not sure and (later is not None or not giving_way):
                return None
            known = self._same(observer, observed, level, text, slot, value)
            if known is not None:
                again = self._reinforce(known, at, sources)
                if again and change == "contradicts":  # which settles what was in doubt
                    self.invalidate(different, at, known)
                elif later is None:
                    self.invalidate(giving_way, at, known)
                return known
            new = self._insert(observer, observed, text, level, kind, slot, value, by, at)
            self._attach(new, sources, premises)
            if read is not None and later is None:  # a model may have read an old message
                later = self._said_later(different, at, sources)
            if later is not None:
                self.invalidate([new], at, later)
                return new
            self.invalidate(giving_way, at, new)
            if change == "contradicts":
                self._contradict(different, new)
            return new

    def _add_beside(
        self, twin: Any, text: str, kind: Kind, by: str, at: datetime, sources: Collection[int]
    ) -> int:
        """Keep what was read from a message beside what a rule has read in it, a row; its id."""
        observer, observed = twin["observer"], twin["observed"]
        known = self._same(observer, observed, "explicit", text, "", "")
        if known is not None:
            self._reinforce(known, at, sources)
            return known
        ended = twin["invalidated_at"]
        if ended and twin["norm"] == norm(text):
            return twin["id"]
        new = self._insert(
            observer, observed, text, "explicit", kind, twin["slot"], twin["value"], by, at
        )
        self._attach(new, sources, ())
        if ended:
            self.invalidate([new], datetime.fromisoformat(ended), twin["replaced_by"])
        return new

    def link(self, alias: str, peer: str) -> str:
        """See `Peers.link`; where both had a value of one slot, the later said holds."""
        with self._database.transaction():
            own = self.peers.link(alias, peer)
            self.settle(own)
        return own

    def of_same_value(self, ids: Collection[int]) -> set[int]:
        """Those that say the same of a peer's slot in other words, or that it holds no more."""
        found: set[int] = set()
        for row in self._database.among("SELECT * FROM conclusions WHERE id IN ({})", ids):
            value = row["value"].removeprefix(_NO_MORE)
            rows = self._database.all(
                "SELECT id FROM conclusions WHERE observed = ? AND observer = ? AND slot = ? "
                "AND slot <> '' AND value IN (?, ?)",
                row["observed"],
                row["observer"],
                row["slot"],
                value,
                f"{_NO_MORE}{value}",
            )
            found.update(other["id"] for other in rows)
        return found

    def settle(self, peer: str) -> None:
        """Let of each slot of a peer with one value the value said last hold."""
        names = self.peers.names(peer)
        marks = ", ".join("?" * len(names))
        rows = self._database.all(
            f"SELECT * FROM conclusions WHERE observed IN ({marks}) AND slot <> '' "
            "AND invalidated_at IS NULL ORDER BY last_said, id",
            *names,
        )
        held: dict[tuple[str, str], list[Any]] = {}
        for row in filter(lambda row: holds_one(row["slot"]), rows):
            others = held.setdefault((row["observer"], row["slot"]), [])
            giving_way = [
                each["id"]
                for each in others
                if _gives_way(row["slot"], each["value"], row["value"], replaces=True)
            ]
            self.invalidate(giving_way, datetime.fromisoformat(row["last_said"]), row["id"])
            others.append(row)

    def _contradict(self, others: Sequence[int], new: int) -> None:
        """Write down that two statements cannot both hold; neither is taken back."""
        found = self.get([*others, new])
        said = found[new]
        for each in others:
            other = found[each]
            self.add(
                said.observer,
                said.observed,
                f"{other.text} ({other.last_said:%Y-%m-%d}), "
                f"but also: {said.text} ({said.last_said:%Y-%m-%d})",
                level="contradiction",
                kind=said.kind,
                by=RULE,
                at=said.last_said,
                premises=(each, new),
            )

    def _same(
        self, observer: str, observed: str, level: Level, text: str, slot: str, value: str
    ) -> int | None:
        """A valid one that says just this."""
        names = self.peers.names(observed)
        by_slot = ("slot = ? AND value = ?", [slot, value])
        found: list[int] = []
        # Two statements, for an index serves no OR.
        for saying, values in [("norm = ?", [norm(text)]), *([by_slot] if slot else [])]:
            row = self._database.one(
                f"SELECT min(id) AS id FROM conclusions WHERE observed IN "
                f"({', '.join('?' * len(names))}) AND observer = ? AND level = ? "
                f"AND invalidated_at IS NULL AND {saying}",
                *names,
                observer,
                level,
                *values,
            )
            if row is not None and row["id"] is not None:
                found.append(row["id"])
        return min(found, default=None)

    def _twin(
        self, observer: str, observed: str, text: str, kind: Kind, sources: Collection[int]
    ) -> Any:
        """The conclusion with a slot that was read from one of those messages and says what the
        text says, too; its row, or None.
        """
        names = self.peers.names(observed)
        rows = self._database.among(
            "SELECT c.* FROM conclusions c JOIN conclusion_sources s ON s.conclusion = c.id "
            f"WHERE c.observed IN ({', '.join('?' * len(names))}) AND c.observer = ? "
            "AND c.slot <> '' AND c.value NOT IN ('', 'yes', 'no') AND s.message IN ({})",
            sources,
            *names,
            observer,
        )
        words = text.casefold()
        for row in rows:
            same_kind = kind == row["kind"] or {kind, row["kind"]} <= _OF_ONESELF
            whole = re.search(rf"\b{re.escape(row['value'])}\b", words) is not None
            if same_kind and whole and holds_one(row["slot"]):
                return row
        return None

    def _held(self, observer: str, observed: str, slot: str) -> Mapping[int, str]:
        """The valid ones of the slot with their values; without a slot none."""
        if not slot:
            return {}
        names = self.peers.names(observed)
        rows = self._database.all(
            f"SELECT id, value FROM conclusions WHERE observed IN ({', '.join('?' * len(names))}) "
            "AND observer = ? AND slot = ? AND invalidated_at IS NULL ORDER BY id",
            *names,
            observer,
            slot,
        )
        return {row["id"]: row["value"] for row in rows}

    def _said_later(
        self, others: Sequence[int], at: datetime, sources: Collection[int]
    ) -> int | None:
        """Which of them was said after that time or, in a session of the sources, after these."""
        here = self._sessions(sources)
        for other in self.get(others).values():
            if here & self._sessions(other.sources):
                if max(other.sources) > max(sources):
                    return other.id
            elif other.last_said > at:
                return other.id
        return None

    def _sessions(self, messages: Collection[int]) -> set[str]:
        rows = self._database.among(
            "SELECT DISTINCT session FROM messages WHERE id IN ({})", messages
        )
        return {row["session"] for row in rows}


def _is_end(value: str) -> bool:
    return value.startswith(_NO_MORE)


def _gives_way(slot: str, older: str, newer: str, replaces: bool) -> bool:
    """Whether the older value of the slot does not hold beside the newer one."""
    if _is_end(newer):
        return not _is_end(older) and ends(slot, newer.removeprefix(_NO_MORE), older)
    if _is_end(older):
        return ends(slot, older.removeprefix(_NO_MORE), newer)
    return replaces and older != newer
