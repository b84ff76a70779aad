"""What can be typed, as data: the parser and `docs/cli.md` are both made from it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from orchestrator import __version__


class Argument(NamedTuple):
    name: str
    """As `add_argument` takes it: `task` or `--model`."""
    help: str
    options: Mapping[str, Any] = {}
    """Keywords of `add_argument`."""

    @property
    def shown(self) -> str:
        """As it stands in a usage line, without brackets."""
        word = str(self.options.get("metavar") or self.name.lstrip("-").upper())
        if not self.name.startswith("-"):
            return word
        return self.name if self.options.get("action") == "store_true" else f"{self.name} {word}"

    @property
    def optional(self) -> bool:
        return self.name.startswith("-") or self.options.get("nargs") in ("?", "*")


class Command(NamedTuple):
    words: str
    """`run`, or a noun and a verb: `runs list`."""
    help: str
    target: str
    """`module:function` below this package; the arguments are its keywords."""
    arguments: tuple[Argument, ...] = ()


def _flag(name: str, help: str, **options: Any) -> Argument:
    return Argument(name, help, {"action": "store_true", **options})


_OPTIONAL = {"nargs": "?"}
_JSON = _flag(
    "--json", "print one JSON object or array, and nothing else, on stdout", dest="as_json"
)
_MODEL = Argument("--model", "replaces every model of the run", {"metavar": "PROVIDER[/MODEL]"})
_WHERE = Argument(
    "where",
    "a team's name, TEAM/PROFILE, a team's file, or a folder with a team.yaml",
    {"metavar": "TEAM"},
)
_RUN = Argument("run", "a run's id, its first letters if no other run has them, or `last`")
_FILES = Argument(
    "--files",
    "folder whose content the members get to work on (default: `inputs` of an example folder)",
    {"metavar": "DIR"},
)
_MEMBER = Argument(
    "where",
    "whose skills: TEAM/PROFILE, or a team for its supervisor's",
    {"metavar": "TEAM/PROFILE"},
)
_REMEMBERER = Argument(
    "where",
    "whose conversations: TEAM/PROFILE, or a team for its supervisor's",
    {"metavar": "TEAM/PROFILE"},
)
_PERSON = Argument(
    "--person",
    "whom it is about, as messages name them (default: person)",
    {"metavar": "NAME", "default": "person"},
)
_SKILL = Argument("skill", "the skill's name")
_VERSION = Argument(
    "--version", "the number of one version", {"metavar": "N", "type": int, "dest": "number"}
)
_WHY = Argument("--why", "the reason, kept in the history", {"metavar": "TEXT", "default": ""})
_SESSION = Argument("--session", "name of the conversation to go on with", {"metavar": "NAME"})

DEBUG = _flag("--debug", "show tracebacks and logs")

GROUPS = {
    "team": "look at teams and check their files",
    "model": "see which models can serve, try one, fetch the local one",
    "skill": "look at what members have learned, add skills, decide which serve",
    "memory": "look at what members remember of talks and people, and make them forget",
    "runs": "list runs, look at them, answer, resume, cancel and rate them",
}

COMMANDS = (
    Command(
        "init",
        "write a small team into a project folder",
        "init:init",
        (
            Argument(
                "folder", "the project (default: this folder)", {**_OPTIONAL, "metavar": "DIR"}
            ),
            Argument("--name", "the team's name (default: the folder's)"),
            _JSON,
        ),
    ),
    Command(
        "doctor",
        "check that everything needed works, and say how to mend it",
        "doctor:doctor",
        (_JSON,),
    ),
    Command(
        "run",
        "give a team a task, or run an example folder's workflow",
        "run:run",
        (
            _WHERE,
            Argument("task", "what to do; `-` reads it from stdin, `@FILE` from a file", _OPTIONAL),
            Argument("--workflow", "run this workflow of the team", {"metavar": "NAME"}),
            Argument(
                "--input",
                "an input of the workflow; `@FILE` as value reads a file",
                {"metavar": "KEY=VALUE", "action": "append", "default": [], "dest": "inputs"},
            ),
            _MODEL,
            Argument(
                "--to", "give the task to this member, past the supervisor", {"metavar": "PROFILE"}
            ),
            _FILES,
            _SESSION,
            _JSON,
        ),
    ),
    Command(
        "chat", "talk with a team or one member", "chat:chat", (_WHERE, _MODEL, _FILES, _SESSION)
    ),
    Command("team list", "the teams that can be run from here", "team:list_teams", (_JSON,)),
    Command(
        "team show",
        "a team's members, or one member's first request",
        "team:show",
        (
            _WHERE,
            _flag("--prompt", "print the exact first request of TEAM/PROFILE, with its tokens"),
            Argument("--task", "the task in that request", {"default": ""}),
            _JSON,
        ),
    ),
    Command(
        "team validate",
        "print every problem of team files; exit code 2 if there is one",
        "team:validate",
        (
            Argument(
                "files",
                "team files, or folders with a team.yaml",
                {"nargs": "+", "metavar": "FILE"},
            ),
            _JSON,
        ),
    ),
    Command(
        "model list",
        "the providers, and which one serves when none is named",
        "model:list_all",
        (_JSON,),
    ),
    Command(
        "model test",
        "send a model one short question",
        "model:test",
        (
            Argument(
                "model",
                "the model (default: the one that is found)",
                {**_OPTIONAL, "metavar": "PROVIDER[/MODEL]"},
            ),
            _JSON,
        ),
    ),
    Command("model pull", "download the local model and verify it", "model:pull", (_JSON,)),
    Command(
        "skill list",
        "the skills of a member, and those every member may use",
        "skill:list_skills",
        (_MEMBER, _JSON),
    ),
    Command(
        "skill search",
        "which skills a request finds, with scores",
        "skill:search",
        (_MEMBER, Argument("query", "the request, in a person's words"), _JSON),
    ),
    Command(
        "skill reindex",
        "build a member's index of skills anew",
        "skill:reindex",
        (_MEMBER, _JSON),
    ),
    Command(
        "skill show",
        "a skill's text, where it comes from, and what the scan found",
        "skill:show",
        (_MEMBER, _SKILL, _VERSION, _JSON),
    ),
    Command(
        "skill history",
        "a skill's versions, what came of using them, and what happened when",
        "skill:history",
        (_MEMBER, _SKILL, _JSON),
    ),
    Command(
        "skill diff",
        "what a version changed",
        "skill:show_diff",
        (
            _MEMBER,
            _SKILL,
            Argument(
                "versions",
                "one version (against its parent) or two (default: the newest)",
                {"nargs": "*", "type": int, "metavar": "N"},
            ),
            _JSON,
        ),
    ),
    Command(
        "skill promote",
        "move a version one step up: candidate, trial, trusted",
        "skill:promote",
        (
            _MEMBER,
            _SKILL,
            _VERSION,
            Argument("--to", "straight to this state", {"choices": ("trial", "trusted")}),
            _WHY,
            _JSON,
        ),
    ),
    Command(
        "skill rollback",
        "let an earlier version serve again",
        "skill:rollback",
        (_MEMBER, _SKILL, _VERSION, _WHY, _JSON),
    ),
    Command(
        "skill archive",
        "let a skill serve no more; it is kept",
        "skill:archive",
        (_MEMBER, _SKILL, _WHY, _JSON),
    ),
    Command(
        "skill pin",
        "keep a skill from being archived by evidence",
        "skill:pin",
        (_MEMBER, _SKILL, _flag("--off", "let go of it again"), _WHY, _JSON),
    ),
    Command(
        "skill approve",
        "say that a version may serve, also one in quarantine",
        "skill:approve",
        (_MEMBER, _SKILL, _VERSION, _WHY, _JSON),
    ),
    Command(
        "skill add",
        "look at skills from elsewhere and add them as candidates",
        "skill:add",
        (
            Argument("source", "a folder, a zip, or a URL", {"metavar": "PATH|URL"}),
            _MEMBER,
            Argument(
                "--only",
                "add this skill only; may be given several times",
                {"metavar": "NAME", "action": "append", "default": []},
            ),
            _flag("--preview", "only look"),
            _JSON,
        ),
    ),
    Command(
        "skill share",
        "copy a skill to another member, where it is a candidate",
        "skill:share",
        (
            _MEMBER,
            _SKILL,
            Argument("to", "who gets it", {"metavar": "TEAM/PROFILE"}),
            _WHY,
            _JSON,
        ),
    ),
    Command(
        "skill export",
        "write a skill into a folder, as the specification wants it",
        "skill:export",
        (
            _MEMBER,
            _SKILL,
            Argument("folder", "where the skill's folder goes", {"metavar": "DIR"}),
            _VERSION,
            _JSON,
        ),
    ),
    Command(
        "skill lint",
        "print what is wrong with skills; exit code 2 if one does not load",
        "skill:lint_files",
        (
            Argument("paths", "folders with skills in them", {"nargs": "+", "metavar": "PATH"}),
            _flag("--strict", "exit code 2 for whatever the specification does not allow"),
            _JSON,
        ),
    ),
    Command(
        "skill eval",
        "measure how well skills are found, with queries of one's own",
        "skill_eval:evaluate_library",
        (
            Argument("corpus", "a folder with skills below it", {"metavar": "CORPUS_DIR"}),
            Argument(
                "queries",
                'one JSON object a line: `{"query": "...", "relevant": ["folder/of/the/skill"]}`; '
                "none relevant: nothing should be served",
                {"metavar": "QUERIES.jsonl"},
            ),
            _JSON,
        ),
    ),
    Command(
        "memory search",
        "what was said that fits a request, by whom and when",
        "memory:search",
        (
            _REMEMBERER,
            Argument("query", "what to look for, in a person's words"),
            Argument("--person", "only what this person or member said", {"metavar": "NAME"}),
            Argument("--session", "only in this conversation", {"metavar": "NAME"}),
            Argument(
                "--since", "only from then on: 2026-03-01, or 2026-03-01T14:30", {"metavar": "TIME"}
            ),
            Argument("--until", "only before then, or until that day's end", {"metavar": "TIME"}),
            _flag("--tools", "look into what tools gave back, too"),
            _JSON,
        ),
    ),
    Command(
        "memory reindex",
        "build a member's index of conversations anew",
        "memory:reindex",
        (_REMEMBERER, _JSON),
    ),
    Command(
        "memory eval",
        "measure how well things said are found, with questions of one's own",
        "memory:evaluate",
        (
            Argument(
                "conversations",
                'a JSON file: `[{"turns": [{"id", "speaker", "text", "time"}], '
                '"questions": [{"question", "evidence": [id], "category"}]}]`',
                {"metavar": "CONVERSATIONS.json"},
            ),
            _JSON,
        ),
    ),
    Command(
        "memory context",
        "what a member would be given from its memory for a message, and why",
        "memory_context:context",
        (
            _REMEMBERER,
            Argument("query", "the message"),
            _PERSON,
            Argument("--session", "as in this conversation", {"metavar": "NAME"}),
            Argument("--tokens", "at most so many tokens", {"metavar": "N", "type": int}),
            _JSON,
        ),
    ),
    Command(
        "memory card",
        "what a member knows of a person, in at most 40 lines",
        "memory_people:card",
        (_REMEMBERER, _PERSON, _JSON),
    ),
    Command(
        "memory conclusions",
        "what a member believes about people, from which messages, since when",
        "memory_people:conclusions",
        (
            _REMEMBERER,
            Argument("query", "what to look for (default: the newest)", _OPTIONAL),
            Argument("--person", "only about this person", {"metavar": "NAME"}),
            Argument(
                "--observer",
                "only what this peer has told (default: anybody's)",
                {"metavar": "NAME"},
            ),
            _flag("--history", "show what holds no more, too"),
            _JSON,
        ),
    ),
    Command(
        "memory ask",
        "answer a question about a person from what a member knows, with its sources",
        "memory_ask:ask",
        (
            _REMEMBERER,
            Argument("question", "the question"),
            _PERSON,
            Argument(
                "--level",
                "how much is looked up (default: low)",
                {"choices": ("minimal", "low", "medium", "high", "max"), "default": "low"},
            ),
            _MODEL,
            _flag("--evidence", "show the evidence alone, without a model"),
            _JSON,
        ),
    ),
    Command(
        "memory link",
        "say that two names are the same person, or take that back",
        "memory_people:link",
        (
            _REMEMBERER,
            Argument("names", "one name, then others of the same person", {"nargs": "*"}),
            _flag("--remove", "the names are no longer linked"),
            _JSON,
        ),
    ),
    Command(
        "memory observe",
        "draw no conclusions about somebody, or do so again",
        "memory_people:observe",
        (
            _REMEMBERER,
            Argument("names", "who is meant", {"nargs": "*"}),
            _flag("--off", "no more conclusions about them"),
            _JSON,
        ),
    ),
    Command(
        "memory status",
        "what waits to be understood, and how much is remembered",
        "memory_people:status",
        (_REMEMBERER, _JSON),
    ),
    Command(
        "memory derive",
        "understand now what waits, and go over what is known",
        "memory_ask:derive",
        (
            _REMEMBERER,
            _MODEL,
            _flag("--dream", "go over the conclusions, however little is new"),
            _flag("--retry", "try again what was given up"),
            _JSON,
        ),
    ),
    Command(
        "memory forget",
        "delete for good what a person said and what is known of them, or parts of it",
        "memory_forget:forget",
        (
            _REMEMBERER,
            Argument("--person", "everything of this person", {"metavar": "NAME"}),
            Argument(
                "--message",
                "a message, by its number in `memory search --json`; may be repeated",
                {"metavar": "N", "type": int, "action": "append"},
            ),
            Argument(
                "--conclusion",
                "a conclusion, by its number; may be repeated",
                {"metavar": "N", "type": int, "action": "append"},
            ),
            Argument("--session", "a whole conversation", {"metavar": "NAME"}),
            _flag("--yes", "do not ask"),
            _JSON,
        ),
    ),
    Command(
        "memory export",
        "write everything a member remembers to a file, one JSON object a line",
        "memory_transfer:export",
        (_REMEMBERER, Argument("file", "the file; `-` is stdout"), _JSON),
    ),
    Command(
        "memory import",
        "add messages and conclusions from such a file",
        "memory_transfer:import_file",
        (_REMEMBERER, Argument("file", "the file; `-` is stdin"), _JSON),
    ),
    Command(
        "runs list",
        "runs, the newest first",
        "runs:list_runs",
        (
            Argument("--team", "only runs of this team"),
            Argument(
                "--state",
                "only runs in this state",
                {
                    "choices": (
                        "queued",
                        "running",
                        "interrupted",
                        "waiting",
                        "completed",
                        "failed",
                        "cancelled",
                        "limited",
                    )
                },
            ),
            _JSON,
        ),
    ),
    Command("runs show", "what was said and done in a run", "runs:show", (_RUN, _JSON)),
    Command(
        "runs resume",
        "go on with a run that was killed, failed or hit a limit",
        "runs:resume",
        (_RUN, _MODEL, _JSON),
    ),
    Command("runs cancel", "stop a run, also one of another process", "runs:cancel", (_RUN, _JSON)),
    Command(
        "runs answer",
        "answer a run's open question and go on with it",
        "runs:answer",
        (
            _RUN,
            Argument("text", "the answer; `-` reads it from stdin, `@FILE` from a file", _OPTIONAL),
            _flag("--approve", "approve what is asked"),
            _flag("--deny", "deny what is asked"),
            Argument("--question", "which question, when several are open", {"metavar": "ID"}),
            _JSON,
        ),
    ),
    Command(
        "runs rate",
        "record whether a run's result was good",
        "runs:rate",
        (
            _RUN,
            Argument("verdict", "`good` or `bad`", {"choices": ("good", "bad")}),
            Argument("--note", "why", {"metavar": "TEXT", "default": ""}),
            _JSON,
        ),
    ),
    Command("version", "print the version", "version:version", (_JSON,)),
)


class WrongUse(Exception):
    """What was typed is not a command; the text says what would be."""


class _Parser(argparse.ArgumentParser):
    is_command = False

    def error(self, message: str) -> NoReturn:
        right = self.format_usage() if self.is_command else self.format_help()
        raise WrongUse(f"{message}\n{right.rstrip()}")


def parse(words: Sequence[str]) -> dict[str, Any]:
    """The keywords of a command's function, and `target`, the function; raises WrongUse.

    Options may stand anywhere between the other words.
    """
    parser, leaves = _parsers()
    for size in (1, 2):
        if leaf := leaves.get(" ".join(words[:size])):
            return vars(leaf.parse_intermixed_args(words[size:]))
    return vars(parser.parse_args(words))


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    """The parser of everything, and the one of each command."""
    parser = _Parser(
        prog="retinue",
        description="Teams of agents that stay.",
        epilog="`retinue COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 wrong use, "
        "3 waiting for a person, 4 stopped by a limit.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"retinue {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    groups = {"": commands}
    leaves: dict[str, _Parser] = {}
    for command in COMMANDS:
        group, _, verb = command.words.rpartition(" ")
        if group not in groups:
            noun = commands.add_parser(group, help=GROUPS[group], description=GROUPS[group])
            groups[group] = noun.add_subparsers(metavar="COMMAND", required=True)
        leaf = groups[group].add_parser(
            verb, help=command.help, description=command.help, allow_abbrev=False
        )
        for argument in (*command.arguments, DEBUG):
            leaf.add_argument(argument.name, help=argument.help, **argument.options)
        leaf.set_defaults(target=command.target)
        leaf.is_command = True
        leaves[command.words] = leaf
    return parser, leaves
