"""Where names lead: project, then home, then what Retinue brings along; a team's folder first."""

from __future__ import annotations

import pytest

from orchestrator.errors import NotFoundError
from tests.profile.conftest import Bench

TEAM = "name: {name}\nmembers: [{{profile: a, agent: {agent}}}]\n"


def agent(description: str) -> str:
    return f"---\nname: helper\ndescription: {description}\n---\nYou.\n"


def test_a_name_leads_to_the_project_before_the_home_before_the_bundled(bench: Bench) -> None:
    assert bench.load("desk").name == "desk"
    home = "../home"
    bench.write(f"{home}/profiles/desk.yaml", TEAM.format(name="from-home", agent="analyst"))
    assert bench.load("desk").name == "from-home"
    bench.write("profiles/desk.yaml", TEAM.format(name="from-project", agent="analyst"))
    assert bench.load("desk").name == "from-project"


def test_roles_are_looked_up_beside_the_team_then_likewise(bench: Bench) -> None:
    folder = bench.write("examples/one/team.yaml", TEAM.format(name="x", agent="helper")).parent
    for place in ("../home", ".", "examples/one"):
        bench.write(f"{place}/agents/helper.md", agent(f"from {place}"))
        assert bench.load(folder).members[0].description == f"from {place}"
    assert bench.load("examples/one").members[0].agent.source == folder / "agents/helper.md"


def test_a_team_is_found_by_its_file_its_folder_and_relative_to_the_project(bench: Bench) -> None:
    file = bench.write("some/team.yaml", TEAM.format(name="x", agent="analyst"))
    sources = (file, file.parent, "some/team.yaml", "some", str(file))
    assert {bench.load(source).source for source in sources} == {file}


def test_a_name_that_leads_nowhere_names_the_nearest(bench: Bench) -> None:
    with pytest.raises(NotFoundError, match=r"no team 'dessk'; did you mean 'desk'\?"):
        bench.load("dessk")
    with pytest.raises(NotFoundError, match=r"no team 'zzz'; teams: desk, engineering, newsroom"):
        bench.load("zzz")
    with pytest.raises(NotFoundError, match=r"no team 'zzz/team\.yaml'"):
        bench.load("zzz/team.yaml")
    with pytest.raises(NotFoundError, match=r"no team\.yaml '.*agents'"):
        bench.load("agents")
    with pytest.raises(NotFoundError, match="no team 'do this and that"):
        bench.load("do this and that " * 1000)
    with pytest.raises(NotFoundError, match="no team"):
        bench.load("a\0b")


@pytest.mark.parametrize("name", ["../secret", "..", "/etc/passwd", "a\\0b", "~root/x"])
def test_no_name_leads_out_of_the_content_folders(bench: Bench, name: str) -> None:
    bench.write("secret.md", agent("secret"))
    found = bench.refused(f'name: x\nmembers: [{{profile: a, agent: "{name}"}}]')
    assert [problem.key for problem in found] == ["members.0.agent"]


def test_validate_gives_the_problems_of_all_files_once_and_in_order(bench: Bench) -> None:
    bench.write("agents/broken.md", "---\nname: broken\ndescription: x\ntols: y\n---\nYou.\n")
    one = bench.write("one.yaml", TEAM.format(name="one", agent="broken"))
    two = bench.write("two.yaml", TEAM.format(name="Two", agent="broken"))
    good = bench.write("good.yaml", TEAM.format(name="good", agent="analyst"))
    found = bench.problems(good, one, two, "agents/broken.md", "gone.yaml", "desk")
    assert [(problem.file.rsplit("/", 1)[-1], problem.key) for problem in found] == [
        ("broken.md", "tols"),
        ("two.yaml", "name"),
        ("gone.yaml", ""),
    ]
    assert found[-1].problem.startswith("no team 'gone.yaml'")
