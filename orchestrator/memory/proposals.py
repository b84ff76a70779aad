"""What a model proposes to change among conclusions; code checks that each follows from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from orchestrator.errors import ToolRetry
from orchestrator.memory import checking
from orchestrator.memory.clauses import EMPTY_STEMS
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.user_model import Conclusion, Kind, Level

_PATTERNS: Mapping[str, Kind] = {
    "preference": "preference",
    "behaviour": "attribute",
    "personality": "attribute",
    "tendency": "attribute",
}
_PREMISES = {"type": "array", "maxItems": 6, "items": {"type": "integer"}}
_TEXT = {"type": "string", "maxLength": 200}


def _list_of(most: int, **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    item = {"type": "object", "required": list(properties), "properties": properties}
    return {"type": "array", "maxItems": most, "items": item}


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["updates", "contradictions", "deductions", "inductions"],
    "properties": {
        "updates": _list_of(10, old={"type": "integer"}, new={"type": "integer"}),
        "contradictions": _list_of(
            10, a={"type": "integer"}, b={"type": "integer"}, why={"type": "string"}
        ),
        "deductions": _list_of(10, text=_TEXT, premises=_PREMISES),
        "inductions": _list_of(
            10, text=_TEXT, premises=_PREMISES, pattern={"enum": list(_PATTERNS)}
        ),
    },
}
_LISTS: Sequence[str] = SCHEMA["required"]
_LONGEST = 300


@dataclass(frozen=True)
class Outcome:
    """How much of it was kept."""

    updated: int = 0
    contradicted: int = 0
    deduced: int = 0
    induced: int = 0


Proposals = Mapping[str, Sequence[Mapping[str, Any]]]
"""By the name of their list."""


def read(answer: Mapping[str, Any]) -> Proposals:
    """Raises ToolRetry when there is no list in the answer."""
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    for name in _LISTS:
        given = answer.get(name)
        if isinstance(given, list):
            items = cast("list[Any]", given)[:10]
            found[name] = [cast("dict[str, Any]", each) for each in items if isinstance(each, dict)]
    if not found:
        raise ToolRetry("the model gave no list of proposals")
    return found


def carry_out(
    proposals: Proposals,
    shown: Collection[int],
    observer: str,
    peer: str,
    conclusions: Conclusions,
    by: str,
    is_forgotten: Callable[[str, str], bool] = lambda observed, text: False,
) -> Outcome:
    """Keep those that the statements shown bear out, as they stand now, and that were not
    forgotten; in an open transaction.
    """
    keeper = _Keeper(shown, observer, peer, conclusions, by, is_forgotten)
    updated = sum(map(keeper.update, proposals.get("updates", ())))
    contradicted = sum(map(keeper.contradict, proposals.get("contradictions", ())))
    deduced = sum(map(keeper.deduce, proposals.get("deductions", ())))
    induced = sum(map(keeper.induce, proposals.get("inductions", ())))
    return Outcome(updated, contradicted, deduced, induced)


class _Keeper:
    def __init__(
        self,
        shown: Collection[int],
        observer: str,
        peer: str,
        conclusions: Conclusions,
        by: str,
        is_forgotten: Callable[[str, str], bool],
    ) -> None:
        self._shown = frozenset(shown)
        self._observer = observer
        self._names = conclusions.peers.names(peer)
        self._peer = peer
        self._conclusions = conclusions
        self._by = by
        self._is_forgotten = is_forgotten

    def update(self, given: Mapping[str, Any]) -> bool:
        """The later statement takes the earlier one's place, from when it was said."""
        pair = self._statements([given.get("old"), given.get("new")])
        if len(pair) < 2 or pair[1].last_said <= pair[0].last_said:
            return False
        old, new = pair
        since = new.valid_from if new.valid_from > old.last_said else new.last_said
        return self._conclusions.invalidate([old.id], since, new.id) > 0

    def contradict(self, given: Mapping[str, Any]) -> bool:
        pair = self._statements([given.get("a"), given.get("b")])
        if len(pair) < 2:
            return False
        one, other = sorted(pair, key=lambda each: (each.last_said, each.id))
        text = (
            f"{one.text} ({one.last_said:%Y-%m-%d}), "
            f"but also: {other.text} ({other.last_said:%Y-%m-%d})"
        )
        return self._add(text, "contradiction", other.kind, pair)

    def deduce(self, given: Mapping[str, Any]) -> bool:
        premises = self._premises(given)
        text = self._text(given, premises)
        return bool(text) and self._add(text, "deductive", premises[0].kind, premises)

    def induce(self, given: Mapping[str, Any]) -> bool:
        premises = self._premises(given)
        text, pattern = self._text(given, premises), given.get("pattern")
        if not text or not isinstance(pattern, str) or pattern not in _PATTERNS:
            return False
        if len(premises) < 2 or not _from_different_messages(premises):
            return False
        return self._add(text, "inductive", _PATTERNS[pattern], premises)

    def _premises(self, given: Mapping[str, Any]) -> Sequence[Conclusion]:
        """Empty when one of them may not be used."""
        ids = given.get("premises")
        return self._statements(cast("list[Any]", ids)) if isinstance(ids, list) else []

    def _statements(self, ids: Sequence[Any]) -> Sequence[Conclusion]:
        """The statements, when all of them were shown, are of this pair of peers and still hold."""
        known = [each for each in ids if type(each) is int and each in self._shown]
        found = self._conclusions.get(known)
        usable = [
            found[each]
            for each in dict.fromkeys(known)
            if each in found
            and found[each].valid
            and found[each].level == "explicit"
            and found[each].observer == self._observer
            and found[each].observed in self._names
        ]
        return usable if len(usable) == len(ids) else []

    def _text(self, given: Mapping[str, Any], premises: Sequence[Conclusion]) -> str:
        """What the premises may say together; empty when it is more, or nothing new."""
        raw = given.get("text")
        text = " ".join(raw.split()) if isinstance(raw, str) else ""
        if not premises or not 8 <= len(text) <= _LONGEST:
            return ""
        said = [each.text for each in premises]
        name = next((each for each in self._names if text.startswith(each)), "")
        words = checking.stems(text[len(name) :]) - EMPTY_STEMS
        if not name or not words & checking.stems("\n".join(said)):
            return ""
        if checking.plain(text) in {checking.plain(each) for each in said}:
            return ""
        return "" if checking.added(text, said, self._names) else text

    def _add(self, text: str, level: Level, kind: Kind, premises: Sequence[Conclusion]) -> bool:
        if any(self._is_forgotten(name, text) for name in self._names):
            return False
        known = self._conclusions.add(
            self._observer,
            self._peer,
            text,
            level=level,
            kind=kind,
            by=self._by,
            at=max(each.last_said for each in premises),
            premises=[each.id for each in premises],
        )
        return known is not None


def _from_different_messages(premises: Sequence[Conclusion]) -> bool:
    """Whether no message holds them all; a note without a message counts as one of its own."""
    sources = [set(each.sources or [-each.id]) for each in premises]
    return not any(all(each in others for others in sources) for each in sources[0])
