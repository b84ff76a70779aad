"""What a workflow does with its steps, its members and its person."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.agent.seat import Answer
from orchestrator.agent.state import Brief, MemberResult
from orchestrator.errors import (
    LimitReached,
    ModelUnavailable,
    NotFoundError,
    PersonError,
    PersonNeeded,
    Question,
    RetinueError,
    RunCancelled,
)
from orchestrator.events import StepFinished, StepStarted
from orchestrator.team.workflow import resolve_inputs
from tests.team.workflow_cast import Cast, done, failed, workflow

APPROVE, DENY = Answer("", "approve"), Answer("too long", "deny")

REVIEW = """
steps:
  - {id: write, agent: writer, prompt: write it}
  - {id: review, approve: "Publish?\\n{{ steps.write.answer }}"}
  - {id: publish, agent: writer, prompt: "publish, {{ steps.review.comment }}"}
  - {id: archive, agent: researcher, prompt: "file {{ steps.write.answer }}"}
"""


async def test_earlier_answers_enter_a_prompt_through_its_template_only() -> None:
    cast = Cast()
    result = await cast.run(
        """
        inputs: {topic: null}
        steps:
          - {id: write, agent: writer, prompt: "Write from {{ steps.research.answer }}"}
          - {id: research, agent: researcher, prompt: "Look up {{ inputs.topic }}"}
        """,
        {"topic": "tides"},
    )
    assert list(cast.briefs) == ["research", "write"]
    assert cast.briefs["write"].goal == "Write from researcher(Look up tides)"
    assert result.state == "completed"
    assert result.answer == "writer(Write from researcher(Look up tides))"


async def test_steps_that_do_not_need_each_other_run_side_by_side() -> None:
    meeting = asyncio.Barrier(2)

    async def meet(profile: str, brief: Brief, call: str) -> MemberResult:
        async with asyncio.timeout(5):
            await meeting.wait()
        return done(profile, call, call)

    result = await Cast(meet).run(
        """
        steps:
          - {id: a, agent: writer, prompt: go}
          - {id: b, agent: checker, prompt: go}
        """
    )
    assert (result.state, result.answer) == ("completed", "a\n\nb")


async def test_items_run_side_by_side_up_to_the_limit_and_keep_their_order() -> None:
    together = most = 0

    async def work(profile: str, brief: Brief, call: str) -> MemberResult:
        nonlocal together, most
        together += 1
        most = max(most, together)
        for _ in range(10 - int(brief.goal)):
            await asyncio.sleep(0)
        together -= 1
        return done(profile, call, brief.goal)

    cast = Cast(work)
    result = await cast.run(
        """
        inputs: {numbers: [0, 1, 2, 3, 4, 5, 6, 7]}
        steps: [{id: each, agent: writer, for_each: "{{ inputs.numbers }}", prompt: "{{ item }}"}]
        """,
        parallel=3,
    )
    assert most == 3
    assert set(cast.briefs) == {f"each[{number}]" for number in range(8)}
    assert result.answer.split() == list("01234567")


async def test_a_failing_item_does_not_lose_the_others() -> None:
    async def work(profile: str, brief: Brief, call: str) -> MemberResult:
        if brief.goal == "Bremen":
            return failed(profile, call, "no model answers")
        return done(profile, call, f"about {brief.goal}")

    cast = Cast(work)
    result = await cast.run(
        """
        inputs: {cities: [Ulm, Bremen, Kiel]}
        steps:
          - {id: look, agent: researcher, for_each: "{{ inputs.cities }}", prompt: "{{ item }}"}
          - id: write
            agent: writer
            prompt: |
              {% for found in steps.look.results %}
              {{ found.index }} {{ found.item }}: {{ found.answer }}
              {% endfor %}
              missing: {{ steps.look.failed | map("item") | join(", ") }}
        """
    )
    assert cast.briefs["write"].goal == "0 Ulm: about Ulm\n2 Kiel: about Kiel\nmissing: Bremen"
    assert result.state == "completed"
    assert "Not done:\n- look: 1 of 3 items not done: [1] no model answers" in result.answer


async def test_a_step_whose_items_all_fail_has_failed() -> None:
    async def work(profile: str, brief: Brief, call: str) -> MemberResult:
        return failed(profile, call, "no")

    result = await Cast(work).run(
        """
        steps: [{id: each, agent: writer, for_each: "{{ [1, 2] }}", prompt: "{{ item }}"}]
        """
    )
    assert result.state == "failed"
    assert result.error == "step 'each': 2 of 2 items not done: [0] no; [1] no"


async def test_no_items_is_no_failure() -> None:
    cast = Cast()
    result = await cast.run(
        """
        inputs: {list: []}
        steps:
          - {id: each, agent: writer, for_each: "{{ inputs.list }}", prompt: "{{ item }}"}
          - {id: count, agent: writer, prompt: "{{ steps.each.results | length }}"}
        """
    )
    assert (result.state, result.answer, list(cast.briefs)) == ("completed", "writer(0)", ["count"])


async def test_for_each_over_something_else_fails_the_step_and_says_so() -> None:
    result = await Cast().run(
        """
        inputs: {text: abc}
        steps: [{id: each, agent: writer, for_each: "{{ inputs.text }}", prompt: "{{ item }}"}]
        """
    )
    assert result.error == "step 'each': for_each: needs a list, not text"


@pytest.mark.parametrize(
    ("short", "ran", "answer"),
    [(True, ["write", "end"], "writer(end with nothing)"), (False, ["write", "trim", "end"], None)],
)
async def test_a_step_is_skipped_when_its_condition_does_not_hold(
    short: bool, ran: list[str], answer: str | None
) -> None:
    cast = Cast()
    result = await cast.run(
        """
        inputs: {short: false}
        steps:
          - {id: write, agent: writer, prompt: write}
          - {id: trim, agent: writer, when: "{{ not inputs.short }}",
             prompt: "trim {{ steps.write.answer }}"}
          - {id: end, agent: writer,
             prompt: "end with {{ steps.trim.answer | default('nothing') }}"}
        """,
        {"short": short},
    )
    assert list(cast.briefs) == ran
    assert result.state == "completed"
    assert answer is None or result.answer == answer


async def test_reading_a_skipped_step_without_a_default_fails_and_says_why() -> None:
    result = await Cast().run(
        """
        steps:
          - {id: trim, agent: writer, when: "{{ 1 > 2 }}", prompt: trim}
          - {id: end, agent: writer, prompt: "{{ steps.trim.answer }}"}
        """
    )
    assert result.error == "step 'end': prompt: there is no 'answer' here, only 'state'"


async def test_a_prompt_that_turns_out_empty_fails_the_step() -> None:
    cast = Cast()
    result = await cast.run(
        """
        inputs: {topic: null}
        steps: [{id: go, agent: writer, prompt: "{{ inputs.topic }}"}]
        """,
        {"topic": " "},
    )
    assert (result.error, cast.briefs) == ("step 'go': prompt: gives no text", {})


async def test_text_is_no_condition() -> None:
    result = await Cast().run(
        """
        inputs: {publish: "no"}
        steps: [{id: go, agent: writer, when: "{{ inputs.publish }}", prompt: go}]
        """
    )
    assert result.error is not None
    assert result.error.startswith("step 'go': when: gives the text 'no'")


VERDICT = """
inputs: {most: 3}
steps:
  - id: check
    agent: checker
    prompt: "Check. {% if result %}Last time: {{ result.output.why }}{% endif %}"
    output: {type: object, properties: {ok: {type: boolean}, why: {type: string}}}
    repeat: {until: "{{ result.output.ok }}", most: 3}
  - {id: end, agent: writer, prompt: "{{ steps.check.output.why }}"}
"""


@pytest.mark.parametrize("good_at", [1, 3, 4])
async def test_a_step_is_repeated_until_its_condition_holds(good_at: int) -> None:
    async def work(profile: str, brief: Brief, call: str) -> MemberResult:
        if profile == "writer":
            return done(profile, call, brief.goal)
        assert brief.output is not None
        attempt = int(call.removeprefix("check~"))
        return done(profile, call, "{}", {"ok": attempt == good_at, "why": f"reason {attempt}"})

    cast = Cast(work)
    result = await cast.run(VERDICT)
    tries = [f"check~{attempt}" for attempt in range(1, min(good_at, 3) + 1)]
    if good_at <= 3:
        assert (result.state, result.answer) == ("completed", f"reason {good_at}")
        assert list(cast.briefs) == [*tries, "end"]
    else:
        assert result.error == "step 'check': `until` did not hold (attempts: 3)"
        assert result.steps["check"].output == {"ok": False, "why": "reason 3"}
        assert list(cast.briefs) == tries
    if good_at > 1:
        assert cast.briefs["check~1"].goal == "Check."
        assert cast.briefs["check~2"].goal == "Check. Last time: reason 1"


async def test_each_item_is_repeated_for_itself() -> None:
    async def work(profile: str, brief: Brief, call: str) -> MemberResult:
        good = call in ("try[0]~1", "try[1]~2")
        return done(profile, call, call, {"ok": good})

    cast = Cast(work)
    result = await cast.run(
        """
        steps:
          - id: try
            agent: writer
            for_each: "{{ ['a', 'b'] }}"
            prompt: "{{ item }}"
            output: {type: object, properties: {ok: {type: boolean}}}
            repeat: {until: "{{ result.output.ok }}"}
        """
    )
    assert set(cast.briefs) == {"try[0]~1", "try[1]~1", "try[1]~2"}
    assert result.answer == "try[0]~1\n\ntry[1]~2"


async def test_an_open_approval_waits_while_everything_else_is_done() -> None:
    cast = Cast()
    result = await cast.run(REVIEW)
    assert list(cast.briefs) == ["write", "archive"]
    assert result.state == "waiting"
    assert result.steps["publish"].state == "pending"
    assert result.error is None
    [question] = result.questions
    assert question == Question(
        "review/approve",
        "supervisor",
        "Publish?\nwriter(write it)",
        "approval",
        ("approve", "deny"),
    )


async def test_a_yes_lets_the_workflow_go_on_with_the_persons_words() -> None:
    cast = Cast(answers={"review/approve": Answer("but gently", "approve")})
    result = await cast.run(REVIEW)
    assert cast.briefs["publish"].goal == "publish, but gently"
    assert result.steps["review"].answer == "but gently"
    assert result.state == "completed"


async def test_a_no_ends_the_run_failed_with_the_work_kept() -> None:
    cast = Cast(answers={"review/approve": DENY})
    result = await cast.run(REVIEW)
    assert result.state == "failed"
    assert result.error == "step 'review': not approved: too long"
    assert "publish" not in cast.briefs
    assert result.steps["publish"].state == "skipped"
    assert result.steps["publish"].error == "needs 'review', which failed"
    assert "writer(write it)" in result.answer


async def test_only_a_clear_yes_is_a_yes() -> None:
    cast = Cast(answers={"review/approve": Answer("looks fine I guess")})
    result = await cast.run(REVIEW)
    assert result.error == "step 'review': not approved: looks fine I guess"


async def test_a_no_with_comments_sends_the_work_back() -> None:
    cast = Cast(answers={"write~1/approve": DENY, "write~2/approve": APPROVE})
    result = await cast.run(
        """
        steps:
          - id: write
            agent: writer
            prompt: "Write.{% if result %} The editor says: {{ result.comment }}{% endif %}"
            approve: "Print this?\\n{{ result.answer }}"
            repeat: {most: 3}
        """
    )
    assert cast.briefs["write~2"].goal == "Write. The editor says: too long"
    assert cast.asked["write~2/approve"].text == (
        "Print this?\nwriter(Write. The editor says: too long)"
    )
    assert result.state == "completed"


async def test_all_items_are_approved_with_one_question() -> None:
    cast = Cast(answers={"draft/approve": APPROVE})
    result = await cast.run(
        """
        steps:
          - {id: draft, agent: writer, for_each: "{{ [1, 2] }}", prompt: "{{ item }}",
             approve: "All {{ result.results | length }}?"}
        """
    )
    assert [question.text for question in cast.asked.values()] == ["All 2?"]
    assert result.answer == "writer(1)\n\nwriter(2)"


async def test_an_answer_without_the_output_asked_for_fails_the_step() -> None:
    cast = Cast()
    result = await cast.run(
        """
        steps:
          - {id: look, agent: researcher, prompt: look, output: {type: object}}
          - {id: other, agent: writer, prompt: other}
        """
    )
    assert cast.briefs["look"].output == {"type": "object"}
    assert result.error == "step 'look': the answer is not of the form asked for"
    assert result.steps["other"].state == "completed"


async def test_a_step_without_an_agent_goes_to_whom_the_supervisor_chooses() -> None:
    cast = Cast()
    result = await cast.run("steps: [{id: any, prompt: do it}]")
    assert cast.routed == {"any": "do it"}
    assert result.answer == "writer(do it)"


QUESTION = Question("ask/1", "writer", "Which year?", "question")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (LimitReached("tokens", "the budget is used up"), "limited"),
        (RunCancelled("a person cancelled the run"), "cancelled"),
        (PersonNeeded([QUESTION]), "waiting"),
        (ModelUnavailable("no model answers"), "failed"),
    ],
)
async def test_what_stops_one_step_does_not_stop_its_neighbour(
    error: RetinueError, state: str
) -> None:
    async def work(profile: str, brief: Brief, call: str) -> MemberResult:
        if call == "a":
            raise error
        await asyncio.sleep(0)
        return done(profile, call, call)

    result = await Cast(work).run(
        """
        steps:
          - {id: a, agent: writer, prompt: go}
          - {id: b, agent: checker, prompt: go}
          - {id: c, agent: checker, prompt: "after {{ steps.a.answer }}"}
        """
    )
    assert result.state == state
    assert result.steps["b"].answer == "b"
    assert result.steps["c"].state == ("skipped" if state == "failed" else "pending")
    assert result.answer.startswith("b")
    assert result.questions == ((QUESTION,) if state == "waiting" else ())
    assert result.error == (None if state == "waiting" else f"step 'a': {error}")


async def test_a_waiting_member_makes_the_run_wait() -> None:
    async def work(profile: str, brief: Brief, call: str) -> MemberResult:
        return MemberResult(profile, call, "waiting", "asks", questions=(QUESTION,))

    result = await Cast(work).run("steps: [{id: a, agent: writer, prompt: go}]")
    assert (result.state, result.questions) == ("waiting", (QUESTION,))


async def test_the_answer_is_what_the_workflow_says_it_is() -> None:
    flow = """
        steps:
          - {id: write, agent: writer, prompt: go}
          - {id: check, agent: checker, prompt: "{{ steps.write.answer }}"}
        answer: "{{ steps.write.answer }}, checked"
        """
    assert (await Cast().run(flow)).answer == "writer(go), checked"


async def test_an_answer_that_cannot_be_written_fails_the_run_and_keeps_the_work() -> None:
    result = await Cast().run(
        """
        steps: [{id: a, agent: writer, prompt: go}]
        answer: "{{ steps.a.artifacts[0] }}"
        """
    )
    assert result.error == "answer: there is no 0 in a list"
    assert result.answer == "writer(go)"


async def test_every_step_and_item_is_seen_to_start_and_finish() -> None:
    cast = Cast()
    await cast.run(
        """
        steps:
          - {id: each, agent: writer, for_each: "{{ [1] }}", prompt: "{{ item }}"}
          - {id: never, agent: writer, needs: [each], when: "{{ false }}", prompt: go}
        """
    )
    seen = [event for event in cast.events if isinstance(event, (StepStarted, StepFinished))]
    assert seen == [
        StepStarted("r1", "each"),
        StepStarted("r1", "each", 0),
        StepFinished("r1", "each", "completed", 0),
        StepFinished("r1", "each", "completed"),
        StepFinished("r1", "never", "skipped"),
    ]


INPUTS = workflow(
    """
    inputs: {topic: null, words: 300, draft: false, cities: [Ulm], tone: plain}
    steps: [{id: a, agent: writer, prompt: "{{ inputs }}"}]
    """
)


def test_inputs_given_as_text_are_read_as_the_kind_of_their_default() -> None:
    given = {"topic": "12", "words": "2.5", "draft": "true", "cities": '["Kiel"]', "tone": "7"}
    assert resolve_inputs(INPUTS, given) == {
        "topic": "12",
        "words": 2.5,
        "draft": True,
        "cities": ["Kiel"],
        "tone": "7",
    }
    assert resolve_inputs(INPUTS, {"topic": "x"})["words"] == 300


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "needs topic=…"),
        ({"topic": "x", "words": "many"}, "'words' must be a number, like 300; got 'many'"),
        ({"topic": "x", "draft": "yes"}, "'draft' must be true or false, like false"),
        ({"topic": "x", "cities": "Kiel"}, "'cities' must be a list, like"),
    ],
)
def test_an_input_that_does_not_fit_is_named(given: dict[str, str], problem: str) -> None:
    with pytest.raises(PersonError, match=problem.replace("[", r"\[")):
        resolve_inputs(INPUTS, given)


def test_an_unknown_input_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(NotFoundError, match="no input 'topics'; did you mean 'topic'"):
        resolve_inputs(INPUTS, {"topics": "x"})
