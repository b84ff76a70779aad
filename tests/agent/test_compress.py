"""A conversation of any length fits the window, and what matters survives."""

from __future__ import annotations

from itertools import pairwise

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from orchestrator.agent.compress import DECIDED, Compressor, estimate

WINDOW = 4_000


def conversation(turns: int) -> list[BaseMessage]:
    """A brief, then tool calls, every tenth of them a question to the person."""
    messages: list[BaseMessage] = [
        SystemMessage("You are the analyst."),
        HumanMessage("The brief: find out why sales fell."),
    ]
    for n in range(turns):
        name = "ask_person" if n % 10 == 5 else "plan" if n % 50 == 7 else "read"
        call = {"name": name, "args": {"n": n}, "id": f"call-{n}", "type": "tool_call"}
        messages.append(AIMessage("", tool_calls=[call]))
        text = {"ask_person": f"decision number {n}", "plan": f"[?] open decision {n}"}.get(
            name, f"line {n} " * 60
        )
        messages.append(
            ToolMessage(
                text,
                tool_call_id=f"call-{n}",
                name=name,
                additional_kwargs={DECIDED: True} if name == "ask_person" else {},
            )
        )
    return messages


def test_two_hundred_turns_keep_the_brief_every_decision_and_the_plan() -> None:
    messages = conversation(200)
    compressor = Compressor(WINDOW, head=2)
    sent = messages
    for end in range(2, len(messages) + 1, 2):
        sent = compressor.shorten(messages[:end])
    text = "\n".join(message.text for message in sent)
    assert sent[:2] == messages[:2]
    assert sent[-1] == messages[-1]
    for n in range(5, 200, 10):
        assert f"decision number {n}\n" in text + "\n"
    assert "open decision 157" in text
    assert estimate(sent) <= WINDOW


def test_a_short_conversation_is_sent_as_it_is() -> None:
    messages = conversation(3)
    assert Compressor(WINDOW, head=2).shorten(messages) == messages


def test_the_prefix_stays_the_same_between_jumps() -> None:
    messages = conversation(60)
    compressor = Compressor(WINDOW, head=2)
    digests = [compressor.shorten(messages[:end])[2].text for end in range(4, len(messages) + 1, 2)]
    changes = sum(one != other for one, other in pairwise(digests))
    assert changes < len(digests) / 3


def test_every_tool_message_keeps_its_call() -> None:
    sent = Compressor(WINDOW, head=2).shorten(conversation(200))
    called = {call["id"] for m in sent if isinstance(m, AIMessage) for call in m.tool_calls}
    answered = {m.tool_call_id for m in sent if isinstance(m, ToolMessage)}
    assert answered <= called
