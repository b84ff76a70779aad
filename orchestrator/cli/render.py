"""What a person sees of a run: its events as lines, and what it came to."""

from __future__ import annotations

import shlex
from decimal import Decimal
from typing import NamedTuple

from orchestrator import events
from orchestrator.cli.output import Screen, Style, one_line
from orchestrator.events import Event
from orchestrator.team.base import RunResult

REHEARSAL = "REHEARSAL"


class Line(NamedTuple):
    text: str
    style: Style = "plain"
    who: str = ""


def render(event: Event) -> Line | None:
    """The event as one line; None for what is not worth one."""
    match event:
        case events.RunStarted(run=run, team=team, model=model, resumed=resumed):
            model = f", model {model}" if model else ""
            return Line(f"run {run}: team {team}{model}{', resumed' if resumed else ''}", "quiet")
        case events.Routed(rule="workflow"):  # the step itself is shown
            return None
        case events.Routed(members=members, rule=rule, reason=reason):
            why = f"{rule}: {reason}" if reason else rule
            return Line(one_line(f"gives it to {', '.join(members)} ({why})"), who="supervisor")
        case events.StepStarted(step=step, item=item):
            return Line(_step(step, item), "strong")
        case events.StepFinished(step=step, item=item, state=state):
            return Line(f"{_step(step, item)}: {state}", _outcome(state))
        case events.MemberStarted(profile=profile, goal=goal):
            return Line(one_line(f"begins: {goal}"), who=profile)
        case events.ModelCalled(profile=profile, model=model, attempts=attempts) if attempts > 1:
            return Line(f"{model} answered at attempt {attempts}", "quiet", profile)
        case events.ToolStarted(profile=profile, tool=tool, summary=summary):
            return Line(one_line(f"{tool}: {summary}" if summary else tool), "quiet", profile)
        case events.ToolFinished(profile=profile, tool=tool, outcome=outcome, preview=preview):
            return Line(one_line(f"{tool} {outcome}: {preview}"), _outcome(outcome), profile)
        case events.PersonAsked(profile=profile, question=question, options=options):
            choice = f" [{' / '.join(options)}]" if options else ""
            return Line(f"asks: {question}{choice}", "ask", profile)
        case events.PersonAnswered(profile=profile, answer=answer):
            return Line(one_line(f"was answered: {answer}"), "quiet", profile)
        case events.ArtifactPublished(profile=profile, path=path):
            return Line(f"hands over {path}", "good", profile)
        case events.MemberFinished(profile=profile, state=state, steps=steps, result=result):
            why = "" if state in ("completed", "waiting") else f": {one_line(result)}"
            return Line(f"{state} after {_count(steps, 'step')}{why}", _outcome(state), profile)
        case events.Warned(profile=profile, message=message):
            return Line(f"warning: {message}", "ask", profile)
        case (
            events.TextDelta()
            | events.ReasoningDelta()
            | events.ModelCalled()
            | events.RunFinished()
        ):
            return None


class Progress:
    """A watcher that shows a run on a screen as it happens.

    In a chat the words of whoever speaks are shown as they come; while one speaks, what the others
    say is left out, since it reaches the supervisor anyway. Who begins and ends is then plain.
    """

    def __init__(self, screen: Screen, *, chat: bool = False) -> None:
        self.run = ""
        """The run's id, once it has begun."""
        self.said = ""
        """The last text that was shown whole."""
        self._screen = screen
        self._chat = chat
        self._working: dict[str, str] = {}
        self._speaker = ""
        self._words = ""
        self._muted: set[str] = set()

    def __call__(self, event: Event) -> None:
        match event:
            case events.RunStarted(run=run, rehearsal=rehearsal):
                self.run = run
                self._screen.label = REHEARSAL if rehearsal else ""
            case events.TextDelta(profile=profile, text=text) if self._chat:
                self._hear(profile, text)
            case events.ModelCalled(profile=profile) if profile == self._speaker:
                self.said, self._speaker, self._words = self._words, "", ""
                self._screen.end_line()
            case events.ModelCalled(profile=profile):
                self._muted.discard(profile)
            case events.MemberStarted(profile=profile, call=call):
                self._working[call] = profile
            case events.MemberFinished(call=call):
                self._working.pop(call, None)
            case _:
                pass
        if (line := render(event)) and not (self._chat and _is_plain_in_chat(event)):
            self._screen.line(*line)
        if not self._speaker:
            stopped = isinstance(event, events.RunFinished)
            names = ", ".join(sorted(set(self._working.values()))) or "supervisor"
            self._screen.busy("" if stopped else f"{names} at work")

    def _hear(self, profile: str, text: str) -> None:
        if self._speaker not in ("", profile):
            self._muted.add(profile)
        if profile not in self._muted:
            self._speaker = profile
            self._words += text
            self._screen.stream(text, profile)


def _is_plain_in_chat(event: Event) -> bool:
    match event:
        case events.MemberFinished(state=state):
            return state in ("completed", "waiting")
        case events.Routed(rule=rule):
            return rule == "addressed"
        case _:
            return isinstance(event, events.RunStarted | events.MemberStarted)


def show_result(
    screen: Screen, result: RunResult, *, answer: bool = True, interrupted: bool = False
) -> None:
    """What the run came to: answer, files, costs, and how to go on where it has not ended well."""
    screen.label = REHEARSAL if result.rehearsal else ""
    if answer and result.answer and result.state != "waiting":
        screen.line()
        screen.line(result.answer, "strong")
    screen.line()
    for artifact in result.artifacts:
        screen.line(f"file: {artifact.path}")
    if result.error:
        screen.line(result.error, "bad")
    screen.line(
        f"{result.state}: {_count(result.steps, 'step')}, "
        f"{result.usage.total:,} tokens ({result.usage.input:,} in, {result.usage.output:,} out), "
        f"cost {money(result.cost_usd)}, run {result.run_id}",
        _outcome(result.state),
    )
    for line in how_to_go_on(result, interrupted=interrupted):
        screen.line(line, "ask")


def how_to_go_on(result: RunResult, *, interrupted: bool = False) -> list[str]:
    """The exact commands with which a run that is not done goes on; `interrupted`: its process has
    ended.
    """
    run = result.run_id
    if interrupted:
        return [f"the process that worked on it has ended; to go on: retinue runs resume {run}"]
    if result.state == "running":
        return [f"another process works on it; to look at it: retinue runs show {run}"]
    if result.state == "waiting":
        lines: list[str] = []
        for question in result.questions:
            which = f" --question {shlex.quote(question.id)}" if len(result.questions) > 1 else ""
            lines.append(f"{question.profile} asks: {question.text}")
            if question.kind == "approval":
                lines.append(f"  retinue runs answer {run} --approve{which}   (or --deny)")
            elif question.kind == "unknown":
                lines.append(
                    f"  retinue runs answer {run} --approve{which}   (or --deny, or 'what came of "
                    "it')"
                )
            else:
                lines.append(f"  retinue runs answer {run} 'your answer'{which}")
        return lines
    if result.state in ("failed", "limited") and not result.denied:
        return [f"its work is kept; to go on: retinue runs resume {run}"]
    return []


def money(usd: Decimal | None) -> str:
    return "unknown" if usd is None else f"{usd.normalize():f} USD"


def _step(step: str, item: int | None) -> str:
    return f"step {step}" if item is None else f"step {step} [{item}]"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _outcome(state: str) -> Style:
    if state in ("ok", "completed"):
        return "good"
    return "ask" if state in ("waiting", "limited", "skipped", "retry", "unknown") else "bad"
