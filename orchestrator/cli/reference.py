"""Writes `docs/cli.md` from the grammar: `python -m orchestrator.cli.reference`."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.grammar import COMMANDS, GROUPS, Command

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"

_HEAD = """\
# Commands

`retinue COMMAND --help` shows the same. Every command takes `--debug`, which shows tracebacks and
logs. With `--json` stdout holds one JSON object or array and nothing else; progress and messages go
to stderr, and an error is `{"error": {"kind", "message", "problems"}}`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed, also on a full disk in mid-run; or cancelled; or the output cannot be written |
| 2 | wrong use: a name, a file or an option is not right; no run has begun |
| 3 | waiting for a person |
| 4 | stopped by a limit; the work done so far is kept |
"""


def reference() -> str:
    """The page, as Markdown."""
    parts = [_HEAD]
    group = ""
    for command in COMMANDS:
        noun = command.words.rpartition(" ")[0]
        if noun and noun != group:
            parts.append(f"## retinue {noun}\n\n{_sentence(GROUPS[noun])}\n")
        group = noun
        parts.append(_section(command))
    return "\n".join(parts)


def _section(command: Command) -> str:
    usage = [f"retinue {command.words}"]
    rows: list[str] = []
    for argument in sorted(command.arguments, key=lambda each: each.name.startswith("-")):
        usage.append(f"[{argument.shown}]" if argument.optional else argument.shown)
        rows.append(f"| `{argument.shown}` | {argument.help.replace('|', chr(92) + '|')} |")
    level = "###" if " " in command.words else "##"
    table = "\n".join(["| argument | |", "|---|---|", *rows])
    return (
        f"{level} retinue {command.words}\n\n{_sentence(command.help)}\n\n"
        f"```\n{' '.join(usage)}\n```\n\n{table}\n"
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
