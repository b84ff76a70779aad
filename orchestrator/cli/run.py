"""`retinue run`."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.address import addressed
from orchestrator.cli.conduct import conduct
from orchestrator.cli.places import known_model, open_runtime
from orchestrator.cli.target import choose_workflow, find, read_inputs, read_text
from orchestrator.errors import PersonError
from orchestrator.runtime import RunRequest


async def run(
    *,
    where: str,
    task: str | None,
    workflow: str | None,
    inputs: list[str],
    model: str | None,
    to: str | None,
    files: str | None,
    session: str | None,
    as_json: bool,
) -> int:
    target = find(where)
    text = read_text(task) if task is not None else ""
    async with open_runtime(target.project) as runtime:
        team = runtime.team(target.team)
        chosen = choose_workflow(team, workflow, text)
        if inputs and chosen is None:
            raise PersonError("--input belongs to a workflow; leave the task out to run one")
        message = addressed(team, text, to or target.profile)
        if chosen is not None and message.target is not None:
            raise PersonError(f"workflow {chosen!r} names its own members; give a task instead")
        request = RunRequest(
            team=team,
            task=message.text,
            target=message.target,
            workflow=chosen,
            inputs=read_inputs(inputs),
            files=folder(files) or target.inputs,
            model=known_model(model),
            rehearsal=target.rehearsal,
            session=session,
        )
        return await conduct(runtime, lambda watch: runtime.run(request, watch), as_json=as_json)


def folder(path: str | None) -> Path | None:
    """The folder behind `--files`; raises PersonError when there is none."""
    if path is not None and not Path(path).is_dir():
        raise PersonError(f"--files {path!r} is not a folder")
    return Path(path).absolute() if path is not None else None
