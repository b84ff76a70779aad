"""SQL over the table files of a folder: what `query_table` runs inside the sandbox.

These modules import the standard library and each other only, because they are sent to the
sandbox's interpreter as text. `main` answers one request; `source` finds and reads files, `kinds`,
`column` and `survey` tell what its columns hold, `store` puts tables into SQLite, `query` runs the
model's SQL under guard, `card` describes a table.
"""

from __future__ import annotations

from typing import Any

DELIMITED = (".csv", ".tsv", ".tab")
JSON = (".json", ".jsonl", ".ndjson")
DATABASE = (".sqlite", ".sqlite3", ".db", ".db3")
"""How the names of table files end."""


def shown(value: Any, longest: int = 500) -> str:
    """A value on one line: NULL, plain digits without the noise of binary fractions, text cut."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    text = " ".join(str(value).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
