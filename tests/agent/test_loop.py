"""What the loop does with replies no one would wish for, and with a person's word."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages.tool import invalid_tool_call

from orchestrator.agent.calls import malformed
from orchestrator.events import MemberFinished, PersonAsked, ToolFinished, Warned
from tests.company import Company


def member(**entry: Any) -> dict[str, dict[str, Any]]:
    return {"counter": {"tools": ["plan", "ask_person", "write", "read", "shell"], **entry}}


def say(text: str, match: str | None = None, **more: Any) -> dict[str, Any]:
    line = {"profile": "counter", "say": text, **more}
    return line if match is None else {**line, "match": match}


def call(tool: str, match: str | None = None, **arguments: Any) -> dict[str, Any]:
    line = {"profile": "counter", "calls": [{"tool": tool, "arguments": arguments}]}
    return line if match is None else {**line, "match": match}


async def test_a_tool_that_does_not_exist_is_answered_with_near_names(company: Company) -> None:
    company.hire([call("plann"), say("ok", "no tool 'plann'; did you mean plan")], members=member())
    assert (await company.run("Go")).answer == "ok"


async def test_wrong_arguments_are_explained_and_the_model_may_retry(company: Company) -> None:
    company.hire(
        [
            call("plan", itms=[]),
            call("plan", "itms.*did you mean 'items'", items=[{"text": "a", "state": "decide"}]),
            say("ok", r"\[\?\] a"),
        ],
        members=member(),
    )
    assert (await company.run("Go")).answer == "ok"


async def test_the_same_call_for_ever_is_stopped_and_the_answer_forced(company: Company) -> None:
    company.hire(
        [
            say("I have nothing new.", "You repeat the same call"),
            {**call("plan", items=[]), "repeat": True},
        ],
        members=member(),
    )
    result = await company.run("Go")
    assert (result.state, result.answer) == ("completed", "I have nothing new.")
    assert [event.outcome for event in company.seen(ToolFinished)] == ["ok", "retry", "retry"]


async def test_a_model_that_only_ever_calls_ends_in_a_named_state(company: Company) -> None:
    calls = [call("plan", items=[{"text": str(n)}]) for n in range(9)]
    company.hire(calls, members=member(limits={"steps": 5}))
    result = await company.run("Go")
    assert result.state == "limited"
    assert "5 steps" in (result.error or "")


async def test_an_empty_reply_is_pointed_out_and_then_given_up(company: Company) -> None:
    company.hire([say(" ", repeat=True)], members=member())
    result = await company.run("Go")
    assert result.state == "failed"
    assert "no usable reply 3 times" in (result.error or "")


async def test_a_failed_run_can_be_resumed_once_the_model_is_better(company: Company) -> None:
    company.hire(
        [call("write", path="a.txt", content="x"), say(" ", repeat=True)], members=member()
    )
    failed = await company.run("Go")
    assert failed.state == "failed"
    company.hire(
        [call("write", path="a.txt", content="x"), say(" "), say(" "), say("Wrote a.txt")],
        members=member(),
    )
    company.events.clear()
    done = await company.resume(failed.run_id)
    assert (done.state, done.answer) == ("completed", "Wrote a.txt")
    assert company.seen(ToolFinished) == []
    assert [artifact.path.rsplit("/", 1)[1] for artifact in done.artifacts] == ["a.txt"]


async def test_a_question_waits_for_a_person_in_another_process(company: Company) -> None:
    company.hire(
        [
            {
                "profile": "counter",
                "calls": [
                    {"tool": "shell", "arguments": {"command": "echo once >> log.txt"}},
                    {"tool": "ask_person", "arguments": {"question": "Which year?"}},
                ],
            },
            call("read", "2014", path="log.txt"),
            say("{{ tool }}"),
        ],
        members=member(),
    )
    waiting = await company.run("Go")
    assert waiting.state == "waiting"
    assert company.seen(PersonAsked)[0].question == "Which year?"
    done = await company.answer(waiting.run_id, "2014")
    assert done is not None
    assert done.state == "completed"
    assert done.answer.count("once") == 1


@pytest.mark.parametrize(
    ("decision", "expected"), [("approve", "exit code 0"), ("deny", "a person said no: not today")]
)
async def test_a_call_that_must_be_approved_runs_only_then(
    company: Company, decision: str, expected: str
) -> None:
    company.hire(
        [call("shell", command="touch done; ls"), say("{{ tool }}")],
        members=member(approvals={"ask": ["shell(touch *)"]}),
    )
    waiting = await company.run("Go")
    assert waiting.state == "waiting"
    workspace = company.home.profile("firm", "counter").workspace
    assert not list(workspace.rglob("done"))
    text = "not today" if decision == "deny" else ""
    done = await company.answer(waiting.run_id, text, decision=decision)
    assert done is not None
    assert expected in done.answer
    assert ("\ndone" in done.answer) is (decision == "approve")


async def test_a_denied_tool_never_runs(company: Company) -> None:
    company.hire(
        [call("shell", command="echo hi"), say("{{ tool }}")],
        members=member(approvals={"deny": ["shell"]}),
    )
    result = await company.run("Go")
    assert "not allowed" in result.answer


async def test_figures_without_a_source_are_pointed_out(company: Company) -> None:
    company.hire(
        [call("shell", command="echo 35.6"), say("35.6 degrees, 104 in 1936")], members=member()
    )
    await company.run("How hot?")
    assert company.seen(Warned)[0].message.endswith("104, 1936")


async def test_an_answer_that_misses_its_schema_is_asked_for_again(company: Company) -> None:
    company.hire(
        [say("passed!"), say('```json\n{"verdict": "pass"}\n```', "does not fit the schema")],
        members=member(),
        workflows={
            "check": {
                "steps": [
                    {
                        "id": "check",
                        "agent": "counter",
                        "prompt": "Check it",
                        "output": {
                            "type": "object",
                            "properties": {"verdict": {"type": "string"}},
                            "required": ["verdict"],
                        },
                    }
                ],
                "answer": "{{ steps.check.output.verdict }}",
            }
        },
    )
    assert (await company.run(workflow="check")).answer == "pass"


async def test_a_broken_profile_fails_alone(company: Company) -> None:
    company.hire([say("never")], members=member(secrets=["TOKEN"]))
    result = await company.run("Go")
    assert result.state == "failed"
    assert "TOKEN" in (result.error or "")
    assert ".env" in (result.error or "")


def calls(*tools: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """All of them in one reply."""
    listed = [{"tool": tool, "arguments": arguments} for tool, arguments in tools]
    return {"profile": "counter", "calls": listed}


async def test_edits_of_one_file_in_one_reply_are_all_kept(company: Company) -> None:
    text = "".join(f"line {number};\n" for number in range(12))
    edits = [
        ("edit", {"path": spelt, "old": f"line {number};", "new": f"edited {number};"})
        for number, spelt in enumerate(["a.txt", "./a.txt", "x/../a.txt"] * 4)
    ]
    company.hire(
        [
            calls(("write", {"path": "a.txt", "content": text}), *edits),
            call("read", path="a.txt"),
            say("{{ tool }}"),
        ],
        members=member(tools=["write", "edit", "read"]),
    )
    answer = (await company.run("Go")).answer
    assert [f"edited {number};" in answer for number in range(12)] == [True] * 12


async def test_calls_that_need_the_same_file_run_in_the_order_of_the_reply(
    company: Company,
) -> None:
    company.hire(
        [
            calls(
                ("read", {"path": "a.txt"}),
                ("write", {"path": "a.txt", "content": "one"}),
                ("shell", {"command": "cat a.txt; echo two > a.txt"}),
                ("read", {"path": "./a.txt"}),
                ("write", {"path": "a.txt", "content": "three"}),
                ("grep", {"pattern": "three"}),
            ),
            say("ok"),
        ],
        members=member(tools=["write", "read", "shell", "grep"]),
    )
    await company.run("Go")
    ended = sorted(company.seen(ToolFinished), key=lambda event: event.call_id)
    previews = [event.preview for event in ended]
    assert "does not exist" in previews[0]
    assert "one" in previews[2]
    assert previews[3] == "two"
    assert "a.txt:1: three" in previews[5]


async def test_calls_that_need_nothing_of_each_other_run_at_once(company: Company) -> None:
    meet = "touch {mine}; for n in $(seq 200); do [ -e {other} ] && exit; sleep 0.05; done; exit 9"
    company.hire(
        [
            calls(
                ("shell", {"command": meet.format(mine="a", other="b")}),
                ("shell", {"command": meet.format(mine="b", other="a")}),
            ),
            say("ok"),
        ],
        members=member(),
    )
    await company.run("Go")
    assert all("exit code 0" in event.preview for event in company.seen(ToolFinished))


async def test_a_person_sees_all_of_what_they_approve(company: Company) -> None:
    command = "echo " + "harmless " * 100 + "; rm -rf everything"
    company.hire([call("shell", command=command)], members=member(approvals={"ask": ["shell"]}))
    await company.run("Go")
    assert "rm -rf everything" in company.seen(PersonAsked)[0].question


@pytest.mark.parametrize("arguments", [{"name": "glob", "arguments": "*"}, {"name": ["glob"]}])
async def test_call_tool_with_arguments_that_are_none_is_explained(
    company: Company, arguments: dict[str, Any]
) -> None:
    wrong = {"profile": "counter", "calls": [{"tool": "call_tool", "arguments": arguments}]}
    company.hire(
        [wrong, say("ok", "`arguments`, an object")],
        members={"counter": {"tools": ["read", "tool_search"]}},
    )
    assert (await company.run("Go")).answer == "ok"


async def test_a_model_that_calls_for_ever_is_told_apart_from_one_that_says_nothing(
    company: Company,
) -> None:
    company.hire([{**call("plan", items=[]), "repeat": True}], members=member())
    result = await company.run("Go")
    assert result.state == "failed"
    assert "it keeps calling tools after it was told to answer" in (result.error or "")
    assert "empty" not in (result.error or "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("[1,2]", "the arguments of the call of read must be a JSON object, not [1,2]"),
        ("3", "the arguments of the call of read must be a JSON object, not 3"),
        ('{"path": ', "the arguments of the call of read are not JSON"),
    ],
)
def test_arguments_that_are_no_object_are_not_called_broken(arguments: str, expected: str) -> None:
    wrong = malformed(invalid_tool_call(name="read", args=arguments, id="1"))
    assert wrong.startswith(expected)


async def test_every_reply_counts_wherever_steps_are_shown(company: Company) -> None:
    company.hire([say(" ", repeat=True)], members=member())
    failed = await company.run("Go")
    assert (failed.steps, [each.steps for each in failed.members]) == (3, [3])
    assert company.seen(MemberFinished)[0].steps == 3
    company.hire([say(" "), say(" "), say("Done")], members=member())
    done = await company.resume(failed.run_id)
    assert done.state == "completed"
    assert (done.steps, [each.steps for each in done.members]) == (4, [4])
    async with company.open() as runtime:
        assert runtime.show(done.run_id).row.steps == 4
