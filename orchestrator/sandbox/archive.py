"""A workspace as one tar file, and back.

Kept are folders, files with their mode and time, and relative links that stay inside.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

from orchestrator.errors import ToolFailed
from orchestrator.sandbox.workspace import Parts, Workspace, regular, walk


def save(workspace: Workspace, target: Path) -> None:
    """Write the archive in one step. Raises ToolFailed when a file changes while it is read."""
    temporary = target.with_name(f"{target.name}.part")
    try:
        with (
            workspace.open_folder((), ".") as folder,
            tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path, status, parent in walk(folder, recursive=True):
                _add(archive, path, status, parent)
        temporary.replace(target)
    except OSError as error:
        raise ToolFailed(f"the workspace was not saved: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, path: Parts, status: os.stat_result, parent: int) -> None:
    member = tarfile.TarInfo("/".join(path))
    member.mode = stat.S_IMODE(status.st_mode) & 0o777
    member.mtime = status.st_mtime
    if stat.S_ISDIR(status.st_mode):
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif stat.S_ISLNK(status.st_mode):
        member.type = tarfile.SYMTYPE
        member.linkname = os.readlink(path[-1], dir_fd=parent)
        if _stays_inside(path, member.linkname):
            archive.addfile(member)
    else:
        with regular(parent, path[-1], member.name) as (file, size):
            member.size = size
            archive.addfile(member, file)


def restore(workspace: Workspace, source: Path) -> None:
    """Replace the workspace's content; on any error it stays what it was. Raises ToolFailed."""
    fresh = Workspace(
        workspace.root.with_name(f"{workspace.root.name}.new"),
        largest=workspace.largest,
        owner=workspace.owner,
    )
    _discard(fresh.root)
    try:
        fresh.create()
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                _unpack(fresh, archive, member)
        _discard(workspace.replaced)
        workspace.root.rename(workspace.replaced)
        fresh.root.rename(workspace.root)
    except (OSError, tarfile.TarError) as error:
        raise ToolFailed(f"{str(source)!r} was not restored: {error}") from error
    finally:
        _discard(fresh.root)
    _discard(workspace.replaced)


def _unpack(workspace: Workspace, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = workspace.parts(member.name)
    if not path:
        return
    if member.isdir():
        with workspace.open_folder(path, member.name, create=True):
            return
    with workspace.open_folder(path[:-1], member.name, create=True) as folder:
        if member.issym() and _stays_inside(path, member.linkname):
            os.symlink(member.linkname, path[-1], dir_fd=folder)
            if workspace.owner is not None:
                os.chown(
                    path[-1],
                    workspace.owner,
                    workspace.owner,
                    dir_fd=folder,
                    follow_symlinks=False,
                )
        elif member.isreg() and not member.issparse() and member.size <= workspace.largest:
            content = archive.extractfile(member)
            assert content is not None
            with workspace.replacing(folder, path[-1], member.name, mode=member.mode) as file:
                shutil.copyfileobj(content, file)
            os.utime(path[-1], (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)
        else:
            raise ToolFailed(f"{member.name!r} in the archive is nothing a workspace may hold")


def _stays_inside(path: Parts, target: str) -> bool:
    inner = posixpath.normpath(posixpath.join(*path[:-1], target))
    return not inner.startswith(("/", "../")) and inner != ".."


def _discard(folder: Path) -> None:
    """Remove a tree that no command can reach any more, however deep or write-protected it is."""
    if folder.exists():
        subprocess.run(["chmod", "-R", "u+rwX", "--", folder], capture_output=True, check=False)
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["rm", "-rf", "--", folder], capture_output=True, check=True)
