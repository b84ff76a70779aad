"""Skills from elsewhere: looked at, added as candidates, and nothing else gets in."""

from __future__ import annotations

import contextlib
import http.server
import os
import stat
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.home import Home
from orchestrator.skill import SkillStore, add_imported, archive, open_source, preview

GOOD = "---\nname: hive\ndescription: Count bees.\nversion: 2\n---\nLook.\n"


@pytest.fixture
def store(home: Home) -> SkillStore:
    home.create()
    profile = home.profile("firm", "clerk")
    profile.create()
    return SkillStore(profile, Database(profile.memory_db))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two skills, one of them with a script, and a licence for both."""
    root = tmp_path / "library"
    for name in ("hive", "smoke"):
        (root / name).mkdir(parents=True)
        text = GOOD.replace("hive", name)
        (root / name / "SKILL.md").write_text(text, encoding="utf-8")
    (root / "hive" / "scripts").mkdir()
    script = root / "hive" / "scripts" / "count.sh"
    script.write_text("#!/bin/sh\necho 1\n")
    script.chmod(0o755)
    (root / "LICENSE").write_text("MIT License\n\nDo as you like.\n")
    return root


def zipped(folder: Path) -> Path:
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w") as archive_file:
        for path in sorted(folder.rglob("*")):
            archive_file.write(path, path.relative_to(folder))
    return file


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine that serves the temporary folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *values: object) -> None:
            super().__init__(*values, directory=str(tmp_path))  # pyright: ignore[reportArgumentType]  passed through

        def log_message(self, format: str, *values: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_many_skills_of_a_folder_arrive_as_candidates(store: SkillStore, library: Path) -> None:
    with open_source(str(library)) as folder:
        found, problems = preview(folder)
        for each in found:
            add_imported(store, each, "here")
    assert problems == []
    assert [(skill.name, skill.shown.state) for skill in store.skills()] == [
        ("hive", "candidate"),
        ("smoke", "candidate"),
    ]
    assert store.served() == []
    version = store.version("hive", 1)
    assert (version.provenance.origin, version.provenance.source) == ("imported", "here")


def test_the_preview_shows_licence_scripts_and_warnings(library: Path) -> None:
    found, _ = preview(library)
    hive = next(each for each in found if each.document.name == "hive")
    assert hive.document.license == "MIT License"
    assert hive.scripts == ("scripts/count.sh",)
    assert [each.key for each in hive.document.warnings] == ["version"]
    assert not hive.blocked


def test_executable_bits_come_through_a_zip(store: SkillStore, library: Path) -> None:
    with open_source(str(zipped(library))) as folder:
        found, _ = preview(folder)
        version = add_imported(store, found[0], "zip")
    assert os.access(version.folder / "scripts" / "count.sh", os.X_OK)
    assert version.read().metadata == {"version": "2"}


@pytest.mark.parametrize("what", ["library.zip", "library/hive/SKILL.md"])
def test_a_url_leads_to_a_zip_or_one_file(
    what: str, served: str, library: Path, store: SkillStore
) -> None:
    zipped(library)
    with open_source(f"{served}/{what}") as folder:
        found, _ = preview(folder)
    assert found[0].document.name == "hive"


def test_a_download_stops_at_its_limit(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_DOWNLOAD_BYTES", 1000)
    (tmp_path / "big.zip").write_bytes(b"x" * 2000)
    with pytest.raises(PersonError, match="larger than 1,000"), open_source(f"{served}/big.zip"):
        pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/x.zip", "is not https"),
        ("ftp://example.com/x.zip", "is not https"),
        ("file:///etc/passwd", "is not https"),
    ],
)
def test_other_addresses_are_refused(url: str, said: str) -> None:
    with pytest.raises(PersonError, match=said), open_source(url):
        pass


@pytest.mark.parametrize("source", ["", " "])
def test_an_empty_source_is_refused(source: str) -> None:
    with pytest.raises(PersonError, match="the source is empty"), open_source(source):
        pass


def test_what_is_no_url_is_refused() -> None:
    with (
        pytest.raises(PersonError, match=r"'https://\[::1' is no URL"),
        open_source("https://[::1"),
    ):
        pass


@pytest.mark.parametrize("what", ["headers", "body", "packed"])
def test_a_download_that_drips_for_ever_ends(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "DEADLINE_SECONDS", 0.3)
    over = threading.Event()

    class Dripping(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            encoding = "Content-Encoding: gzip\r\n" if what == "packed" else ""
            end = "X-Drip: " if what == "headers" else "\r\n"
            head = f"HTTP/1.1 200 OK\r\n{encoding}{end}".encode()
            # A gzip header whose file name never ends unpacks to nothing.
            start = b"\x1f\x8b\x08\x08" + bytes(4) + b"\x00\x03" if what == "packed" else b""
            with contextlib.suppress(OSError):
                self.wfile.write(head + start)
                while not over.wait(0.02):
                    self.wfile.write(b"x")

        def log_message(self, format: str, *values: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stop = threading.Timer(20, over.set)
        stop.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/hive.zip"
            with pytest.raises(PersonError, match="takes longer than"), open_source(url):
                pass
        finally:
            stop.cancel()
            over.set()
            server.shutdown()
            thread.join()


def test_what_a_server_refuses_is_said(served: str) -> None:
    with pytest.raises(PersonError, match="answers 404"), open_source(f"{served}/none.zip"):
        pass


@pytest.mark.parametrize(
    "name", ["../out", "/etc/out", "a/../../out", "C:\\out", "..\\out", "C:/out"]
)
def test_a_zip_with_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "slip.zip"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("hive/SKILL.md", GOOD)
        made.writestr(zipfile.ZipInfo(name), "out")
    with pytest.raises(PersonError, match="holds the path"), open_source(str(file)):
        pass
    assert [path.name for path in tmp_path.rglob("*out*")] == []


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "link.zip"
    with zipfile.ZipFile(file, "w") as made:
        link = zipfile.ZipInfo("hive/secret")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
    with pytest.raises(PersonError, match="holds the link"), open_source(str(file)):
        pass


def test_a_zip_that_bursts_is_refused_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1_000_000)
    file = tmp_path / "bomb.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("hive/SKILL.md", b"\n" * 50_000_000)
    assert file.stat().st_size < 100_000
    with pytest.raises(PersonError, match="unpacks to more"), open_source(str(file)):
        pass


def test_a_zip_of_too_many_files_and_a_broken_one_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: Path
) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    file = zipped(library)
    with pytest.raises(PersonError, match="more than 3 entries"), open_source(str(file)):
        pass
    data = file.read_bytes()
    file.write_bytes(data[:40] + bytes(20) + data[60:])
    monkeypatch.undo()
    with pytest.raises(PersonError, match="no zip that can be read"), open_source(str(file)):
        pass


def test_a_skill_with_a_link_is_not_added_and_the_others_are(library: Path) -> None:
    (library / "hive" / "secret").symlink_to("/etc/passwd")
    found, problems = preview(library)
    assert [each.document.name for each in found] == ["smoke"]
    assert "is a link" in problems[0].problem


def test_two_skills_of_one_name_are_not_mixed(library: Path) -> None:
    text = (library / "smoke" / "SKILL.md").read_text()
    (library / "smoke" / "SKILL.md").write_text(text.replace("name: smoke", "name: hive"))
    found, problems = preview(library)
    assert [each.document.name for each in found] == ["hive"]
    assert problems[0].key == "name"


@pytest.mark.parametrize("path", ["nowhere", "library"])
def test_what_holds_no_skill_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "library").mkdir()
    with pytest.raises(PersonError), open_source(str(tmp_path / path)) as folder:
        preview(folder)
