"""The rehearsal plays its script, the same way however often a run is resumed."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from orchestrator.errors import ConfigError, PersonError
from orchestrator.model import ModelChain, Reply, open_model
from orchestrator.settings import Settings
from tests.model.peers import WEATHER

SCRIPT = """
- profile: clerk
  match: "good (morning|day)"
  say: Good day to you.
- profile: analyst
  match: rain
  calls:
    - tool: query
      arguments: {sql: "SELECT max(rain) FROM weather"}
    - tool: query
      arguments: {sql: "SELECT min(rain) FROM weather"}
- profile: analyst
  match: "42"
  calls:
    - tool: write
      arguments:
        path: report.md
        lines: ["most {{ tool.1 }}", "least {{tool.2}}"]
- profile: analyst
  match: written
  say: "The most was {{ tool.1 }} mm; the file is {{ tool }}."
- profile: analyst
  match: thank
  say: You are welcome.
  repeat: true
- profile: analyst
  say: I do not know.
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "rehearsal.yaml"
    file.write_text(SCRIPT)
    return file


def opened(script: Path, profile: str = "analyst") -> ModelChain:
    return open_model(
        ["rehearsal"],
        credentials={},
        settings=Settings(),
        cache=script.parent,
        profile=profile,
        rehearsal=script,
    )


async def say(script: Path, *messages: BaseMessage) -> Reply:
    """What a new rehearsal, as after a restart, answers to the conversation."""
    return await opened(script).bind([WEATHER]).call(list(messages))


SYSTEM = SystemMessage("rain 42 written thank you: none of this is heard")


def results(reply: Reply, *texts: str) -> list[BaseMessage]:
    pairs = zip(reply.tool_calls, texts, strict=True)
    return [reply.message, *(ToolMessage(t, tool_call_id=c["id"] or "") for c, t in pairs)]


async def test_a_conversation_is_played_from_any_point_on(script: Path) -> None:
    said: list[BaseMessage] = [SYSTEM, HumanMessage("How much RAIN fell?")]
    first = await say(script, *said)
    assert [call["name"] for call in first.tool_calls] == ["query", "query"]
    said += results(first, "42", "0")
    second = await say(script, *said)
    assert second.tool_calls[0]["args"] == {
        "path": "report.md",
        "lines": ["most 42", "least 0"],
    }
    said += results(second, "written report.md")
    third = await say(script, *said)
    assert third.text == "The most was 42 mm; the file is written report.md."
    assert not third.tool_calls


async def test_the_ids_of_calls_are_unique_in_a_conversation_and_the_same_next_time(
    script: Path,
) -> None:
    said: list[BaseMessage] = [HumanMessage("rain?")]
    first, again = await say(script, *said), await say(script, *said)
    assert [c["id"] for c in first.tool_calls] == [c["id"] for c in again.tool_calls]
    second = await say(script, *said, *results(first, "42", "0"))
    ids = [call["id"] for reply in (first, second) for call in reply.tool_calls]
    assert len(set(ids)) == 3


async def test_a_line_is_said_once_unless_it_may_be_repeated(script: Path) -> None:
    said: list[BaseMessage] = []
    for _ in range(3):
        said.append(HumanMessage("thank you"))
        reply = await say(script, *said)
        assert reply.text == "You are welcome."
        said.append(reply.message)
    said.append(HumanMessage("why?"))
    unknown = await say(script, *said)
    assert unknown.text == "I do not know."
    with pytest.raises(PersonError, match="has no line left"):
        await say(script, *said, unknown.message, HumanMessage("but why?"))


async def test_a_message_of_another_model_uses_up_no_line(script: Path) -> None:
    other = [HumanMessage("Sing!"), AIMessage("La la.")]
    reply = await say(script, *other, HumanMessage("How much rain fell?"))
    assert [call["name"] for call in reply.tool_calls] == ["query", "query"]


async def test_the_system_prompt_is_not_heard(script: Path) -> None:
    assert (await say(script, SYSTEM, HumanMessage("hello"))).text == "I do not know."


async def test_each_profile_plays_its_own_part(script: Path) -> None:
    clerk = opened(script, "clerk").bind(())
    assert (await clerk.call([HumanMessage("Good morning!")])).text == "Good day to you."
    with pytest.raises(PersonError, match=r"rehearsal\.yaml' has no line left that 'clerk'.*rain"):
        await clerk.call([HumanMessage("How much rain fell?")])


async def test_a_result_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rehearsal.yaml"
    file.write_text("- {profile: analyst, say: 'It is {{ tool.2 }}.'}")
    with pytest.raises(PersonError, match=r"'\{\{ tool\.2 \}\}', but there are 0 tool results"):
        await say(file, HumanMessage("?"))


def test_it_is_marked_as_a_rehearsal(script: Path) -> None:
    model = opened(script)
    assert model.rehearsal
    assert model.name == "rehearsal"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a: b", 1, "is not a list"),
        ("", 1, "is not a list"),
        ("- profile: x\n  say: [", 2, "is not YAML"),
        ("- profile: x\n\tsay: y", 2, "is not YAML"),
        ("- say: hello", 1, "field required"),
        ("- profile: x", 1, "needs `say` or `calls`"),
        ("- profile: x\n  sya: hello", 2, "did you mean 'say'?"),
        ("- profile: x\n  calls:\n    - tool: t\n      argument: {}", 4, "'arguments'"),
        ("- profile: x\n  match: '('\n  say: y", 2, "not a regular expression"),
        ("- profile: x\n  say: &a y\n- profile: *b\n  say: y", 3, "undefined alias"),
        ("- profile: x\n  say: !!python/object:os.system y", 2, "is not YAML"),
    ],
)
async def test_a_bad_script_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, told: str
) -> None:
    file = tmp_path / "rehearsal.yaml"
    file.write_text(textwrap.dedent(text))
    with pytest.raises(ConfigError, match=r"rehearsal\.yaml") as caught:
        await say(file, HumanMessage("hello"))
    assert told in str(caught.value)
    assert caught.value.problems[0].line == line


async def test_all_problems_of_a_script_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "rehearsal.yaml"
    file.write_text("- say: a\n- profile: b\n- profile: c\n  say: c\n- profil: d\n  say: d")
    with pytest.raises(ConfigError) as caught:
        await say(file, HumanMessage("hello"))
    assert [(p.line, p.key) for p in caught.value.problems] == [
        (1, "0.profile"),
        (2, "1"),
        (5, "3.profile"),
        (5, "3.profil"),
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00binary", None], ids=["binary", "missing"])
async def test_an_unreadable_script_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "rehearsal.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"rehearsal\.yaml"):
        await say(file, HumanMessage("hello"))
