"""`retinue memory forget`."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cli.address import SUPERVISOR, member
from orchestrator.cli.ask import Keyboard
from orchestrator.cli.output import Screen, print_json
from orchestrator.cli.places import open_runtime
from orchestrator.cli.target import find
from orchestrator.erasure import Erasure, Found
from orchestrator.errors import PersonError
from orchestrator.home import ProfileHome
from orchestrator.team.personal import FILES, UNFINISHED, told


async def forget(
    *,
    where: str,
    person: str | None,
    message: Sequence[int] | None,
    conclusion: Sequence[int] | None,
    session: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Delete something for good; `--person` for a team reaches all of its profiles."""
    given = {
        "--person": person,
        "--message": message,
        "--conclusion": conclusion,
        "--session": session,
    }
    named = [option for option, value in given.items() if value is not None]
    if len(named) != 1:
        what = f"not {' and '.join(named)}" if named else "say what shall be forgotten"
        raise PersonError(f"give one of {', '.join(given)}; {what}")
    target = find(where)
    async with open_runtime(target.project) as runtime:
        team = runtime.team(target.team)
        name = member(team, target.profile) if target.profile else None
        whole = person is not None and target.profile is None
        homes = runtime.erasure.homes(team, None if whole else name or SUPERVISOR)
        found = _choose(
            runtime.erasure,
            homes,
            person=person,
            message=message or (),
            conclusion=conclusion or (),
            session=session,
        )
        rows = [
            {"profile": each.home.address, **each.chosen.counts, "files": each.chosen.whole}
            for each in found
        ]
        told_of = [(each.home.address, _told(runtime.erasure, each)) for each in found]
        if found and not yes and not await _agreed(told_of, as_json=as_json):
            return 1
        runtime.erasure.forget(found, by="operator")
        runtime.erasure.finish()
    if as_json:
        print_json(rows)
        return 0
    with Screen() as screen:
        for address, what in told_of:
            screen.line(f"forgotten by {address}: {what}", "good")
        if not found:
            screen.line("nothing of that is kept")
    return 0


def _choose(
    erasure: Erasure,
    homes: Sequence[ProfileHome],
    *,
    person: str | None,
    message: Sequence[int],
    conclusion: Sequence[int],
    session: str | None,
) -> Sequence[Found]:
    if person is not None:
        return erasure.choose_person(homes, person)
    if session is not None:
        return erasure.choose(homes, lambda choosing: choosing.session(session))
    if message:
        return erasure.choose(homes, lambda choosing: choosing.messages(message))
    return erasure.choose(homes, lambda choosing: choosing.conclusions(conclusion))


async def _agreed(found: Sequence[tuple[str, str]], *, as_json: bool) -> bool:
    """Whether the person at the terminal says yes. Raises PersonError where there is none."""
    with Keyboard() as keyboard, Screen() as screen:
        if as_json or not keyboard.attended:
            raise PersonError("what is forgotten cannot be brought back; add --yes to go ahead")
        for address, what in found:
            screen.line(f"{address}: {what}", "ask")
        answer = await keyboard.line("delete this for good? [y/N] ")
        if (answer or "").strip().lower() in ("y", "yes"):
            return True
        screen.line("nothing was forgotten")
        return False


def _told(erasure: Erasure, found: Found) -> str:
    counts = dict(found.chosen.counts)
    runs = counts.pop("runs")
    files = runs if found.chosen.whole else 0
    return told({**counts, FILES: files, UNFINISHED: erasure.unfinished([found])})
