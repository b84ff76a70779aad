"""What the profiles of a team hold of a person who asks them, as `team.personal` wants it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from orchestrator.erasure import Erasure, Found
from orchestrator.home import ProfileHome
from orchestrator.memory.choosing import Choosing, Chosen
from orchestrator.memory.quoting import name_of, on_one_line
from orchestrator.profile.schema import Team
from orchestrator.staff import House
from orchestrator.team.personal import FILES, UNFINISHED, Asker, Wish, told
from orchestrator.team.supervisor import CALL

_HEARSAY = 20
"""Newest things that others told of a person which are listed."""

_HOW = (
    'To have something forgotten, say "forget that" (what you said last), "forget that I …", '
    '"forget about my …" or "forget me"; you are asked before anything is deleted.'
)


class TeamRecords:
    """The records of one profile, for the supervisor those of the whole team (`Records`)."""

    def __init__(self, house: House, erasure: Erasure, team: Team, profile: str) -> None:
        self._house = house
        self._erasure = erasure
        self._team = team
        self._profile = profile
        self._own = house.home.profile(team.name, profile)
        if profile == CALL:
            self.reach = (
                f"That is about every profile of team {team.name}; other teams keep their own "
                "records: say the same to them."
            )
        else:
            self.reach = (
                f"That is about {self._own.address} alone; to reach the whole team, say the same "
                "to its supervisor."
            )

    def known(self, person: str) -> str:
        """The card, what is hearsay, and how much was said; of other profiles of the team numbers
        alone, for what was said to them stays with them.
        """
        people = self._house.user_model(self._own)
        parts = [f"This is what {self._own.address} knows about you."]
        card = people.card_now(person)
        parts.append(
            "\n".join(f"- {on_one_line(line)}" for line in card) if card else "No facts about you."
        )
        hearsay = [
            f"- {on_one_line(each.text)} "
            f"(told by {name_of(each.observer)}, {each.last_said:%Y-%m-%d})"
            for each in people.conclusions_store.about(
                person, besides=self._own.address, most=_HEARSAY
            )
        ]
        if hearsay:
            parts.append("\n".join(["Hearsay, which others told:", *hearsay]))
        for found in self._erasure.choose_person(self._homes(), person):
            counts = told(_counts([found]))
            parts.append(f"{found.home.address} keeps {counts} of yours or about you.")
        if self._profile == CALL:
            parts.append("Ask a member itself to see what it knows, e.g. @name what do you know …")
        parts += [_HOW, self.reach]
        return "\n\n".join(parts)

    def count(self, wish: Wish, asker: Asker) -> Mapping[str, int]:
        found = self._found(wish, asker)
        counts = _counts(found)
        if not any(counts.values()):
            return {}
        return {**counts, UNFINISHED: self._erasure.unfinished(found, asker.run)}

    def forget(self, wish: Wish, asker: Asker) -> None:
        self._erasure.forget(self._found(wish, asker), by="themself", asking_run=asker.run)

    def forget_topic(self, person: str, run: str, topic: str) -> Mapping[str, int]:
        """Forget what a person has told about a topic; a member asks for it in a run of theirs, and
        they have agreed.
        """
        wish, asker = Wish("topic", topic), Asker(person, "", run)
        counts = self.count(wish, asker)
        self.forget(wish, asker)
        return counts

    def _found(self, wish: Wish, asker: Asker) -> Sequence[Found]:
        homes = self._homes()
        if wish.kind == "person":
            return self._erasure.choose_person(homes, asker.person)
        if wish.kind == "topic":
            runs = self._erasure.runs_of(homes, asker.person)
            return self._erasure.choose(homes, _topic(asker.person, wish.topic, runs))
        own = self._erasure.choosing(self._own)
        last = own.last(asker.person, asker.session, without_run=asker.run)
        return self._erasure.choose(homes, _runs(last.runs))

    def _homes(self) -> Sequence[ProfileHome]:
        return self._erasure.homes(self._team, None if self._profile == CALL else self._profile)


def _counts(found: Sequence[Found]) -> Mapping[str, int]:
    return {
        "messages": sum(len(each.chosen.messages) for each in found),
        "conclusions": sum(len(each.chosen.conclusions) for each in found),
        FILES: len({run for each in found if each.chosen.whole for run in each.chosen.runs}),
    }


def _topic(person: str, topic: str, runs: Collection[str]) -> Callable[[Choosing], Chosen]:
    return lambda choosing: choosing.topic(person, topic, runs)


def _runs(runs: Collection[str]) -> Callable[[Choosing], Chosen]:
    return lambda choosing: choosing.run("last", runs)
