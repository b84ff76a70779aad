"""Each starter skill is done as it says, with real tools, and comes to what it claims."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator import content
from orchestrator.database import Database
from orchestrator.home import Home
from orchestrator.index import Embedder
from orchestrator.profile import Vocabulary, load_team
from orchestrator.sandbox import Sandbox, SandboxConfig, open_sandbox
from orchestrator.skill import (
    IndexedSkill,
    SkillDocument,
    SkillIndex,
    SkillSearch,
    lint,
    read_libraries,
    read_skill,
    scan,
    skill_text,
)
from orchestrator.tool.base import ToolContext
from orchestrator.tool.builtin.files import Grep, GrepArguments, Read, ReadArguments
from orchestrator.tool.builtin.process import Python, PythonArguments, Shell, ShellArguments
from orchestrator.tool.builtin.table import QueryTable, QueryTableArguments
from orchestrator.tool.catalog import TOOLS
from tests.company import Company
from tests.sandbox.conftest import cannot

FOLDER = content.bundled("skills")
NAMES = sorted(path.name for path in FOLDER.iterdir())

REQUESTS = {
    "check-claims": "is every figure in the draft backed by its source?",
    "clean-a-csv": "this csv has semicolons, blank lines and dates in three formats, tidy it up",
    "find-the-breaking-commit": "it worked in the last release, which commit broke it?",
    "find-the-first-error": "the build log has 9000 lines, why did it fail?",
    "findings-with-sources": "collect what is known about heat pumps, each fact with its source",
    "join-two-tables": "combine orders.csv with customers.csv and give revenue by country",
    "months-and-shares": "how did revenue grow month by month, in percent?",
    "profile-a-table": "can I trust this data? look for missing values and duplicates",
    "read-a-long-document": "summarize this 300 page handbook by chapter",
    "review-a-diff": "look over this pull request before we merge it",
    "write-a-brief-report": "turn these notes into a one page memo for my boss",
    "write-a-regression-test": "write a test that fails because of this bug",
}


@dataclass(frozen=True)
class Member:
    """Hands in a working folder, with the tools that members have."""

    sandbox: Sandbox
    context: ToolContext

    async def put(self, files: Mapping[str, str | bytes]) -> None:
        for path, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            await self.sandbox.write(f"r1/{path}", data)

    async def text(self, path: str) -> str:
        return (await self.sandbox.read(f"r1/{path}")).decode()

    async def ask(self, sql: str) -> list[dict[str, Any]]:
        """The rows of the answer, by column."""
        found = await QueryTable().run(QueryTableArguments(sql=sql), self.context)
        assert found.data["row_count"] == len(found.data["rows"])
        return [dict(zip(found.data["columns"], row, strict=True)) for row in found.data["rows"]]

    async def run(self, command: str, *, code: int = 0) -> str:
        """What the command prints, errors included."""
        ended = await Shell().run(ShellArguments(command=command), self.context)
        assert ended.data["exit_code"] == code, ended.text
        return ended.text.partition("\n")[2]

    async def python(self, code: str) -> list[str]:
        """The lines that it prints."""
        ended = await Python().run(PythonArguments(code=code), self.context)
        assert ended.data["exit_code"] == 0, ended.text
        return ended.text.splitlines()[1:]

    async def grep(self, pattern: str, path: str) -> list[int]:
        """The numbers of the lines that match."""
        found = await Grep().run(GrepArguments(pattern=pattern, path=path), self.context)
        numbers = re.findall(rf"^{re.escape(path)}:(\d+): ", found.text, re.MULTILINE)
        assert len(numbers) == found.data["matches"]
        return [int(number) for number in numbers]


@pytest.fixture
async def member(home: Home) -> AsyncIterator[Member]:
    if shutil.which("bwrap") is None:
        cannot("bubblewrap is not installed")
    home.create()
    profile = home.profile("team", "worker")
    profile.create()
    async with open_sandbox(SandboxConfig(), profile) as sandbox:
        await sandbox.write("r1/notes.txt", b"")
        yield Member(sandbox, ToolContext("team/worker", "r1", "r1", sandbox, timeout_seconds=60))


def skill(name: str) -> SkillDocument:
    return read_skill(FOLDER / name)


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of the skill in that language, in order."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", skill(name).body, re.M | re.S)
    return [textwrap.dedent(text) for _, text in found]


def patterns(name: str) -> list[str]:
    return [line for block in blocks(name, "regex") for line in block.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_the_specification_wants(name: str) -> None:
    [verdict] = lint([FOLDER / name], strict=True)
    document = skill(name)
    assert (verdict.loads, verdict.problems) == (True, ())
    assert document.name == name
    assert skill_text(document) == (FOLDER / name / "SKILL.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_scan_finds_nothing_in_it(name: str) -> None:
    assert scan(skill(name)) == ()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_every_block_says_what_it_is(name: str) -> None:
    body = skill(name).body
    assert len(body.splitlines()) <= 80
    assert body.count("```") % 2 == 0
    languages = set(re.findall(r"^ *```(\w*)$", body, re.M)) - {""}
    assert languages <= {"sql", "bash", "python", "regex", "json", "markdown", "text"}
    assert len(re.findall(r"^ *```\w+$", body, re.M)) == body.count("```") / 2


@pytest.mark.parametrize("name", NAMES)
def test_the_tools_it_needs_exist(name: str) -> None:
    needed = re.match(r"Needs the tools? ([^;.]+)", skill(name).compatibility or "")
    assert needed is not None
    words = set(re.findall(r"[a-z_]+", needed[1]))
    assert words & set(TOOLS)
    assert words - set(TOOLS) <= {
        *("and", "or", "with", "where", "is", "a", "table", "source", "git", "python"),
        *("to", "check", "revise"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_member_may_start_with_it(name: str, company: Company) -> None:
    company.project.mkdir(exist_ok=True)
    (company.project / "team.yaml").write_text(
        f"name: x\nmembers: [{{profile: a, agent: analyst, skills: [{name}]}}]\n"
    )
    team = load_team(
        company.project / "team.yaml",
        project=company.project,
        home=company.home.root,
        vocabulary=Vocabulary(tools=TOOLS, core=("read",), providers=frozenset({"rehearsal"})),
    )
    assert team.members[0].skills == (name,)
    assert team.problems == ()


def test_everybody_finds_them_in_the_library(home: Home) -> None:
    found, problems = read_libraries(project=None, home=home.root)
    assert problems == []
    assert [(each.source, each.document.name) for each in found] == [("bundled", n) for n in NAMES]


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> SkillSearch:
    embedder = Embedder()
    index = SkillIndex(Database(tmp_path_factory.mktemp("index") / "memory.db"))
    documents = {name: skill(name) for name in NAMES}
    index.update(
        [IndexedSkill(name, name, each.description, each.body) for name, each in documents.items()]
    )
    index.embed_missing(embedder.embed)
    return SkillSearch(index, embedder.embed)


def test_every_one_has_a_request() -> None:
    assert sorted(REQUESTS) == NAMES


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_it_is_for_finds_it_first(search: SkillSearch, name: str) -> None:
    assert search.recall(REQUESTS[name])[0].name == name


async def test_a_table_s_faults_are_found_before_it_is_used(member: Member) -> None:
    await member.put(
        {
            "orders.csv": "order_id,ordered_on,region,amount\n"
            "1,2024-01-01,North,10\n2,2024-01-02,north,20.5\n2,2024-01-02,north,20.5\n"
            "3,2024-01-20,South,n.a.\n4,,South,-5\n5,2024-01-21,,1000\n6,2024-01-22,East,\n"
        }
    )
    size, key, spellings, no_number, ranges, gaps = blocks("profile-a-table", "sql")
    assert await member.ask(size) == [{"all_rows": 7, "no_date": 1, "no_region": 1, "no_amount": 1}]
    assert await member.ask(key) == [{"order_id": 2, "times": 2}]
    [spelling] = await member.ask(spellings)
    assert (spelling["meant"], spelling["spellings"]) == ("north", 2)
    assert set(spelling["written"].split(",")) == {"North", "north"}
    assert await member.ask(no_number) == [{"amount": "n.a.", "times": 1}]
    assert await member.ask(ranges) == [
        {
            **{"numbers": 5, "least": -5, "middle": 20.5, "most": 1000, "negative": 1},
            **{"first_day": "2024-01-01", "last_day": "2024-01-21"},
        }
    ]
    assert await member.ask(gaps) == [{"day": "2024-01-02", "next_day": "2024-01-20", "days": 18}]


async def test_a_table_without_faults_has_no_findings(member: Member) -> None:
    rows = "\n".join(f"{n},2024-01-{n:02},North,{n}.5" for n in range(1, 9))
    await member.put({"orders.csv": f"order_id,ordered_on,region,amount\n{rows}\n"})
    _, key, spellings, no_number, ranges, gaps = blocks("profile-a-table", "sql")
    for sql in (key, spellings, no_number, gaps):
        assert await member.ask(sql) == []
    [found] = await member.ask(ranges)
    assert (found["numbers"], found["least"], found["middle"], found["most"]) == (8, 1.5, 5, 8.5)


async def test_a_join_neither_loses_nor_doubles_rows(member: Member) -> None:
    await member.put(
        {
            "orders.csv": "order_id,customer_id,amount\n1,A,10\n2,A,5.5\n3,B,20\n4,C,1\n5,,2\n",
            "customers.csv": "customer_id,country\nA,NO\nB,SE\nB,SE\nD,FI\n",
        }
    )
    unique, alike, alone, join, proof = blocks("join-two-tables", "sql")
    assert await member.ask(unique) == [{"customer_id": "B", "times": 2}]
    assert [row["side"] for row in await member.ask(alike) if row["kind"] == "text"] == [
        "orders",
        "customers",
    ]
    assert await member.ask(alone) == [{"orders_without": 2, "their_amount": 3}]
    assert await member.ask(join) == [
        {"country": "SE", "orders": 1, "amount": 20},
        {"country": "NO", "orders": 2, "amount": 15.5},
        {"country": "(unknown)", "orders": 2, "amount": 3},
    ]
    [row] = await member.ask(proof)
    assert row == {"rows_before": 5, "rows_after": 5, "amount_before": 38.5, "amount_after": 38.5}
    [row] = await member.ask(proof.replace("(SELECT DISTINCT * FROM customers)", "customers"))
    assert (row["rows_before"], row["rows_after"]) == (5, 6)


async def test_keys_of_two_spellings_are_shown_and_meet_when_cast(member: Member) -> None:
    await member.put(
        {
            "orders.csv": "customer_id,amount\n7,1\nx7,1\n",
            "customers.csv": "customer_id,country\n007,NO\n",
        }
    )
    _, alike, alone, *_ = blocks("join-two-tables", "sql")
    longest = {row["side"]: row["longest"] for row in await member.ask(alike)}
    assert longest == {"orders": 2, "customers": 3}
    assert (await member.ask(alone))[0]["orders_without"] == 2
    cast = re.sub(r"\b([oc]\.customer_id)", r"CAST(\1 AS INTEGER)", alone)
    assert (await member.ask(cast))[0]["orders_without"] == 1


async def test_months_and_shares_are_right_with_gaps_and_without_values(member: Member) -> None:
    await member.put(
        {
            "orders.csv": "ordered_on,region,amount\n2023-12-30,North,100\n2024-01-05,North,150\n"
            "2024-01-31,South,50\n2024-03-01,South,\n2024-03-02,,100\n2024-04-02,South,300\n"
        }
    )
    months, share, rows, best = blocks("months-and-shares", "sql")
    found = await member.ask(months)
    assert [(row["month"], row["total"], row["change_percent"]) for row in found] == [
        ("2023-12", 100, None),
        ("2024-01", 200, 100),
        ("2024-02", 0, -100),
        ("2024-03", 100, None),
        ("2024-04", 300, 200),
    ]
    assert [row["running_total"] for row in found] == [100, 300, 300, 400, 700]
    found = await member.ask(share)
    assert [(row["region"], row["total"], row["percent"]) for row in found] == [
        ("South", 350, 50),
        ("North", 250, 35.7),
        ("(none)", 100, 14.3),
    ]
    assert await member.ask(rows) == [{"large": 4, "all_rows": 6, "percent": 66.7}]
    assert [(row["region"], row["month"], row["total"]) for row in await member.ask(best)] == [
        ("North", "2024-01", 150),
        ("North", "2023-12", 100),
        ("South", "2024-04", 300),
        ("South", "2024-01", 50),
    ]


async def test_a_month_of_the_year_before_is_twelve_rows_back(member: Member) -> None:
    days = [f"{year}-{month:02}-15" for year in (2022, 2023) for month in range(1, 13)]
    rows = "\n".join(f"{day},North,{10 if day < '2023' else 15}" for day in days)
    await member.put({"orders.csv": f"ordered_on,region,amount\n{rows}\n"})
    months = blocks("months-and-shares", "sql")[0].replace("lag(total)", "lag(total, 12)")
    changes = [row["change_percent"] for row in await member.ask(months)]
    assert changes == [None] * 12 + [50] * 12


MESSY = (
    "Order ID; Ordered  on ;Amount\r\n1;03.02.2024;1.234,50 €\r\n;;\r\n2;2024-02-04; 7\r\n"
    "2;2024-02-04; 7\r\n3;25/02/2024;n/a\r\n4;yesterday;12.5\r\n5;05.02.2024\r\n"
    '"6";06.02.2024;"-2.000,25"\r\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
async def test_a_messy_csv_becomes_one_that_can_be_asked(member: Member, encoding: str) -> None:
    original = MESSY.encode(encoding)
    await member.put({"messy.csv": original})
    look, clean = blocks("clean-a-csv", "python")
    assert r"\r" not in (printed := await member.python(look))[0]
    assert printed[1] == repr(original.splitlines()[1])
    assert await member.python(clean) == [
        "not understood, kept: ordered_on 'yesterday'",
        "not understood, kept: amount '12.5'",
        "left out: ['5', '05.02.2024']",
        "8 rows read: {'written': 5, 'blank': 1, 'repeated': 1, 'wrong width': 1}",
    ]
    assert (await member.text("clean.csv")).splitlines() == [
        "order_id,ordered_on,amount",
        "1,2024-02-03,1234.50",
        "2,2024-02-04,7",
        "3,2024-02-25,",
        "4,yesterday,12.5",
        "6,2024-02-06,-2000.25",
    ]
    assert await member.sandbox.read("r1/messy.csv") == original
    [row] = await member.ask("SELECT sum(amount) AS total FROM clean WHERE order_id <> 4")
    assert row == {"total": -758.75}


async def test_claims_are_found_in_a_text_and_in_its_sources(member: Member) -> None:
    await member.put(
        {
            "draft.md": "Shops in the town\n\nA third of the 12 shops closed.\nThe mayor is calm.\n"
            "She said: “prices will not rise”.\nRent is 1,234.50 a month.\n",
            "source.txt": "rent: 1.234,5\nrent: 1 234,50\nrent 1234.5\n11,234.5\n1,234.56\n"
            "The mayor: Prices  will not\u00a0rise.\n",
            "shops.csv": "shop,status\n"
            + "".join(f"s{n},{'closed' if n < 4 else 'open'}\n" for n in range(12)),
        }
    )
    figures, words, quotes, figure, quotation = patterns("check-claims")
    assert await member.grep(figures, "draft.md") == [3, 6]
    assert await member.grep(words, "draft.md") == [3]
    assert await member.grep(quotes, "draft.md") == [5]
    assert await member.grep(figure, "source.txt") == [1, 2, 3]
    assert await member.grep(quotation, "source.txt") == [6]
    [sql] = blocks("check-claims", "sql")
    assert await member.ask(sql) == [{"shops": 12, "closed": 4, "percent": 33.3}]


async def test_findings_without_a_source_are_found(member: Member) -> None:
    [example] = blocks("findings-with-sources", "markdown")
    wrong = (
        "- stated: Nobody knows.\n- stated: It is late. (https://example.org/x)\n"
        "- suggested: Perhaps. (somewhere)\n- concluded: So it is.\n- fact: It rains. (a.md:1)\n"
    )
    await member.put({"good.md": example, "bad.md": wrong})
    no_source, no_ground, no_kind = patterns("findings-with-sources")
    for pattern in (no_source, no_ground, no_kind):
        assert await member.grep(pattern, "good.md") == []
    assert await member.grep(no_source, "bad.md") == [1, 2, 3]
    assert await member.grep(no_ground, "bad.md") == [4]
    assert await member.grep(no_kind, "bad.md") == [5]


async def test_a_long_document_is_read_by_its_sections(member: Member) -> None:
    handbook = (
        "# Handbook\n\nFor everybody in the shop.\nIt has two parts.\n\n## Returns\n\n"
        "Goods may come back within 30 days, unless they were made to order.\n\n"
        "The customer pays for the parcel.\nWe pay the rest.\n\n## Repairs\n\nSee #7.\n"
    )
    numbered = (
        "1. Scope\n1.1 Words\nin 2 words\n2.3.1. Terms\nChapter IV\nPart of it\nTHE LAST END\n"
    )
    await member.put({"handbook.md": handbook, "other.txt": numbered})
    markdown, numbers, chapters, capitals = patterns("read-a-long-document")
    assert await member.grep(markdown, "handbook.md") == [1, 6, 13]
    assert await member.grep(numbers, "other.txt") == [1, 2, 4]
    assert await member.grep(chapters, "other.txt") == [5]
    assert await member.grep(capitals, "other.txt") == [7]
    [call] = blocks("read-a-long-document", "json")
    section = await Read().run(ReadArguments.model_validate(json.loads(call)), member.context)
    assert (section.data["first"], section.data["last"]) == (6, 12)
    [notes] = blocks("read-a-long-document", "markdown")
    lines = handbook.splitlines()
    for note, line in re.findall(r"^- (.+)\. \((\d+)\)$", notes, re.M):
        assert note in lines[int(line) - 1]


def test_the_report_follows_its_form_and_the_notes() -> None:
    form, report = blocks("write-a-brief-report", "markdown")
    [notes] = blocks("write-a-brief-report", "text")
    headings = re.findall(r"^## \w+$", form, re.M)
    assert re.findall(r"^## \w+$", report, re.M) == headings[:2]
    title, _, result, *_ = report.splitlines()
    assert title.startswith("# ")
    assert len(title.split()) <= 9
    assert re.search(r"\d", result)
    assert len(report.split()) <= 300
    figures = r"\d+(?:[.,]\d+)*"
    assert set(re.findall(figures, report)) == set(re.findall(figures, notes))


LOG = (
    "10:00:00 starting version 2\n10:00:01 0 errors so far\n10:00:02 WARN disk almost full\n"
    "10:00:03 cannot write /data/x: No space left\nTraceback (most recent call last):\n"
    '  File "app.py", line 9, in save\nOSError: No space left\n'
    + "".join(f"10:01:{n:02} ERROR job {n} failed\n" for n in range(40))
    + "10:02:00 done, errors: 0\n"
)


async def test_the_first_error_of_a_log_is_found_and_the_others_counted(member: Member) -> None:
    await member.put({"app.log": LOG})
    overview, first, around, kinds, before = blocks("find-the-first-error", "bash")
    shown = (await member.run(overview)).splitlines()
    assert shown == [
        "48 app.log",
        "10:00:00 starting version 2",
        "10:02:00 done, errors: 0",
        "1:10:00:00 starting version 2",
    ]
    hits = (await member.run(first)).splitlines()
    assert hits[0] == "4:10:00:03 cannot write /data/x: No space left"
    assert len(hits) == 5
    assert not any("0 errors" in hit for hit in hits)
    assert (await member.run(around)).splitlines() == LOG.splitlines()[31:52]
    counted = [line.split(maxsplit=1) for line in (await member.run(kinds)).splitlines()]
    assert counted[0] == ["40", "N:N:N ERROR job N failed"]
    assert await member.run(before) == "3:10:00:02 WARN disk almost full"


GIT = "git -c user.name=Ann -c user.email=ann@example.org"


async def commit(member: Member, message: str, files: Mapping[str, str]) -> None:
    await member.put(files)
    await member.run(f"git add shop tests && {GIT} commit --quiet -m '{message}'")


async def repository(member: Member, commits: Sequence[tuple[str, Mapping[str, str]]]) -> None:
    """The branch `main`, its first commit tagged `v1.0`."""
    await member.run("git init --quiet --initial-branch=main")
    for number, (message, files) in enumerate(commits):
        await commit(member, message, files)
        if number == 0:
            await member.run("git tag v1.0")


RIGHT = "def total(prices):\n    return sum(prices)\n"
WRONG = "def total(prices):\n    return sum(prices[1:])\n"


async def test_the_breaking_commit_is_found_in_a_copy_and_proven(member: Member) -> None:
    empty = {"shop/__init__.py": "", "tests/__init__.py": ""}
    harmless = [(f"Note {number}", {"shop/notes.py": f"NOTE = {number}\n"}) for number in range(3)]
    start = [("Begin", {**empty, "shop/price.py": RIGHT}), *harmless]
    broken = ("Skip the heading", {"shop/price.py": WRONG})
    later = ("Rename", {"shop/notes.py": "NOTES = 7\n"})
    await repository(member, [*start, broken, later])
    [check] = blocks("find-the-breaking-commit", "python")
    ends, search, proof = blocks("find-the-breaking-commit", "bash")
    await member.put({"check.py": check})
    good, bad = (await member.run("git rev-parse v1.0 HEAD")).split()
    told = (await member.run(ends)).splitlines()
    assert told == [f"{good}: exit code 0", f"{bad}: exit code 1"]
    found = await member.run(search)
    guilty = await member.run("git rev-parse HEAD~1")
    assert f"{guilty} is the first bad commit" in found
    assert "Skip the heading" in found
    assert "+    return sum(prices[1:])" in found
    assert await member.run("git status --porcelain") == "?? check.py\n?? notes.txt"
    assert await member.text("shop/price.py") == WRONG
    by_hash = proof.replace("HEAD~1 HEAD", f"{guilty}~1 {guilty}")
    assert await member.run(by_hash) == "exit code 0"
    assert await member.text("shop/price.py") == WRONG


async def test_a_commit_that_cannot_be_judged_is_skipped(member: Member) -> None:
    empty = {"shop/__init__.py": "", "tests/__init__.py": ""}
    unusable = ("Halfway", {"shop/price.py": "def totals(prices):\n    return 0\n"})
    commits = [("Begin", {**empty, "shop/price.py": RIGHT}), unusable]
    await repository(member, [*commits, ("Mend", {"shop/price.py": RIGHT + "\n"})])
    await commit(member, "Break", {"shop/price.py": WRONG})
    [check] = blocks("find-the-breaking-commit", "python")
    await member.put({"check.py": check})
    assert "Break" in await member.run(blocks("find-the-breaking-commit", "bash")[1])
    await member.run("git checkout --quiet HEAD~2 -- shop && python3 check.py", code=125)


PARSE = "def amounts(text):\n    return [int(line) for line in text.splitlines()]\n"
MENDED = PARSE.replace("]\n", " if line]\n")


async def test_a_regression_test_fails_for_the_right_reason_and_holds_the_fix(
    member: Member,
) -> None:
    empty = {"shop/__init__.py": "", "tests/__init__.py": ""}
    await repository(member, [("Begin", {**empty, "shop/parse.py": PARSE})])
    [test] = blocks("write-a-regression-test", "python")
    reproduce, one, prove, everything = blocks("write-a-regression-test", "bash")
    assert "invalid literal for int() with base 10: ''" in await member.run(reproduce, code=1)
    await member.put({"tests/test_parse.py": test})
    failed = await member.run(one, code=1)
    assert "ValueError: invalid literal for int() with base 10: ''" in failed
    await member.put({"shop/parse.py": MENDED})
    assert await member.run(reproduce) == "[10, 20]"
    told = await member.run(prove)
    assert "with the fix: passes" in told
    assert "without the fix: fails" in told
    assert await member.text("shop/parse.py") == MENDED
    assert "OK" in await member.run(everything)
    assert "fix.diff" not in await member.run("ls")


async def test_the_proof_tells_a_test_that_holds_nothing(member: Member) -> None:
    empty = {"shop/__init__.py": "", "tests/__init__.py": ""}
    await repository(member, [("Begin", {**empty, "shop/parse.py": PARSE})])
    [test] = blocks("write-a-regression-test", "python")
    weak = test.replace(r"10\n\n20", r"10\n20")
    await member.put({"tests/test_parse.py": weak, "shop/parse.py": MENDED})
    told = await member.run(blocks("write-a-regression-test", "bash")[2])
    assert "without the fix: fails" not in told


USE = "from shop.price import total\n\n\ndef bill(prices):\n    return f'{total(prices)} EUR'\n"
ADDED = (
    "def total(prices, discount):\n    print(prices)\n    try:\n"
    "        return sum(prices) - discount\n    except:\n        return 0   \n"
)
TEST = (
    "import unittest\n\nfrom shop.price import total\n\n\nclass PriceTest(unittest.TestCase):\n"
    "    def test_it_adds(self):\n        self.assertEqual(total([1, 2]{}), 3{})\n"
)


async def branch(member: Member) -> None:
    """The branch `discount`, in need of a review, checked out; `main` has gone on."""
    base = {
        **{"shop/__init__.py": "", "tests/__init__.py": ""},
        **{"shop/price.py": RIGHT, "shop/bill.py": USE, "tests/test_price.py": TEST.format("", "")},
    }
    await repository(member, [("Begin", base)])
    await member.run("git checkout --quiet -b discount")
    changed = {"shop/price.py": ADDED, "tests/test_price.py": TEST.format(", 1", " - 1")}
    await commit(member, "Give a discount", changed)
    await member.run("git checkout --quiet main")
    await commit(member, "Elsewhere", {"shop/other.py": "X = 1\n"})
    await member.run("git checkout --quiet discount")


async def test_a_review_sees_callers_leftovers_and_whether_tests_hold(member: Member) -> None:
    await branch(member)
    size, whole, callers, leftovers, proof = blocks("review-a-diff", "bash")
    told = await member.run(size)
    assert "Give a discount" in told
    assert "Elsewhere" not in told
    assert "2 files changed" in told
    assert "?? notes.txt" in told
    assert "+def total(prices, discount):" in await member.run(whole)
    told = await member.run(callers)
    assert "== total" in told
    assert "shop/bill.py:5:    return f'{total(prices)} EUR'" in told
    told = await member.run(leftovers, code=2)
    assert "+    print(prices)" in told
    assert "+    except:" in told
    assert "shop/price.py:6: trailing whitespace." in told
    told = await member.run(proof)
    assert "with the change: exit code 0" in told
    assert "without the change: exit code 1" in told
    assert await member.text("shop/price.py") == ADDED


async def test_a_review_sees_that_no_test_holds_the_change(member: Member) -> None:
    base = {
        **{"shop/__init__.py": "", "tests/__init__.py": "", "shop/price.py": RIGHT},
        "tests/test_price.py": TEST.format("", ""),
    }
    await repository(member, [("Begin", base)])
    await member.run("git checkout --quiet -b more")
    await commit(
        member, "More", {"shop/price.py": RIGHT + "\n\ndef least(x):\n    return min(x)\n"}
    )
    *_, callers, _, proof = blocks("review-a-diff", "bash")
    assert "== least\nshop/price.py:5:def least(x):" in await member.run(callers)
    assert "without the change: exit code 0" in await member.run(proof)
