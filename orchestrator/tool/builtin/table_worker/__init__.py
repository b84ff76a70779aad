"""SQL over the table files of a folder: what `query_table` runs inside the sandbox.

These modules import the standard library and each other only, because they are sent to the
sandbox's interpreter as text. `main` answers one request; `source` finds and reads files, `kinds`,
`column` and `survey` tell what its columns hold, `store` puts tables into SQLite, `query` runs the
model's SQL under guard, `card` describes a table.
"""
