"""Files of a workspace, handled from the host while commands inside may change them at any moment.

No path is trusted to stay what it was: each folder on the way is opened from its parent's
descriptor without following links, and only regular files are ever opened. Links are refused, those
that stay inside too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import re
import shutil
import stat
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

from orchestrator.errors import PersonError, SandboxUnavailable, ToolFailed, ToolRetry
from orchestrator.sandbox.base import FileEntry

INSIDE = "/workspace"
"""What commands behind walls call the workspace; paths below it are understood here too."""

READ_BYTES = 64 << 20
"""A file larger than this is read in part or not at all."""

MOST_ENTRIES = 100_000
DEEPEST = 64

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")
"""A byte of a name that is not UTF-8, as `list` shows it."""

Parts = tuple[str, ...]


class Workspace:
    """A folder that no path leads out of.

    `largest` bounds every file written, in bytes. What is made here belongs to `owner`, a user and
    group number, where one is given. Methods block; they raise ToolRetry for a path that is wrong
    and ToolFailed where the disk is full or denies.
    """

    def __init__(self, root: Path, *, largest: int, owner: int | None = None) -> None:
        self.root = root
        self.largest = largest
        self.owner = owner

    def create(self) -> None:
        """Make the folder, and give it with all it holds to the owner, where that is not so.

        A restore that was cut off is undone.
        """
        if self.replaced.exists() and not self.root.exists():
            self.replaced.rename(self.root)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.open_folder((), ".") as folder:
            self._adopt(folder)

    @property
    def replaced(self) -> Path:
        """Where the folder stands while another takes its place."""
        return self.root.with_name(f"{self.root.name}.old")

    def folder(self, path: str) -> str:
        """The path of an existing folder, normalised. It is given to the owner if it is not theirs
        yet: somebody may have put it there from outside.
        """
        parts = self.parts(path)
        with _refusals(path), self.open_folder(parts, path) as folder:
            self._adopt(folder)
        return "/".join(parts) or "."

    def read(self, path: str, limit: int | None = None) -> bytes:
        with _refusals(path), self._open_file(path) as (file, size):
            if limit is None and size > READ_BYTES:
                raise ToolRetry(
                    f"{path!r} has {size:,} bytes, more than the {READ_BYTES:,} that can be read "
                    "at once; take a part of it with a command"
                )
            return file.read(READ_BYTES if limit is None else limit)

    def write(self, path: str, data: bytes) -> None:
        """In one step: whoever looks sees the old file or the new one."""
        parent, name = self._split(path)
        if len(data) > self.largest:
            raise ToolRetry(
                f"{path!r}: {len(data):,} bytes are more than the limit of {self.largest:,}"
            )
        with (
            _refusals(path),
            self.open_folder(parent, path, create=True) as folder,
            self.replacing(folder, _spelt(folder, name), path) as file,
        ):
            file.write(data)

    def list(self, path: str = ".", recursive: bool = False) -> Sequence[FileEntry]:
        """Files and folders, sorted; links and special files are left out."""
        parts = self.parts(path)
        found: list[FileEntry] = []
        with _refusals(path), self.open_folder(parts, path) as folder:
            for inner, status, _ in walk(folder, recursive=recursive):
                if stat.S_ISLNK(status.st_mode):
                    continue
                if len(found) == MOST_ENTRIES:
                    raise ToolRetry(
                        f"{path!r} holds more than {MOST_ENTRIES:,} entries; list a folder in it"
                    )
                is_folder = stat.S_ISDIR(status.st_mode)
                name = _printable("/".join((*parts, *inner)))
                found.append(FileEntry(name, 0 if is_folder else status.st_size, is_folder))
        return sorted(found, key=lambda entry: entry.path)

    def remove(self, path: str) -> None:
        """A file, a link itself, or a folder with all it holds."""
        parent, name = self._split(path)
        with _refusals(path), self.open_folder(parent, path) as folder:
            _remove(folder, _spelt(folder, name))

    def put(self, source: Path, path: str) -> None:
        """Copy from the host; links in a folder are left out. Raises PersonError for a folder that
        holds the workspace: with it, other profiles would be copied.
        """
        if self.root.resolve().is_relative_to(source.resolve()):
            raise PersonError(
                f"{str(source)!r} holds this profile's own home; give a folder without it, or set "
                "RETINUE_HOME to a place outside"
            )
        if source.is_dir():
            self._put_folder(source, path)
        else:
            self._put_file(source, path)

    def _put_folder(self, source: Path, path: str) -> None:
        with _refusals(path), self.open_folder(self.parts(path), path, create=True):
            pass
        for folder, names, files in os.walk(source):
            inner = Path(folder).relative_to(source)
            for name in names:
                if not Path(folder, name).is_symlink():
                    target = posixpath.join(path, inner.as_posix(), name)
                    with self.open_folder(self.parts(target), target, create=True):
                        pass
            for name in files:
                if Path(folder, name).is_file() and not Path(folder, name).is_symlink():
                    self._put_file(Path(folder, name), posixpath.join(path, inner.as_posix(), name))

    def _put_file(self, source: Path, path: str) -> None:
        parent, name = self._split(path)
        with source.open("rb") as original:
            status = os.fstat(original.fileno())
            if status.st_size > self.largest:
                raise ToolRetry(
                    f"{source.name!r}: {status.st_size:,} bytes are more than the limit of "
                    f"{self.largest:,}"
                )
            with (
                _refusals(path),
                self.open_folder(parent, path, create=True) as folder,
                self.replacing(folder, name, path, mode=status.st_mode) as file,
            ):
                shutil.copyfileobj(original, file)

    def get(self, path: str, target: Path) -> None:
        """Copy to the host, links left out; `target` is the new file or folder itself."""
        parts = self.parts(path)
        with _refusals(path):
            if parts and not self._is_folder(parts, path):
                with self._open_file(path) as (file, size):
                    _copy_out(file, size, target)
                return
            with self.open_folder(parts, path) as folder:
                target.mkdir(parents=True, exist_ok=True)
                for inner, status, parent in walk(folder, recursive=True):
                    if stat.S_ISDIR(status.st_mode):
                        target.joinpath(*inner).mkdir(exist_ok=True)
                    elif stat.S_ISREG(status.st_mode):
                        with regular(parent, inner[-1], "/".join(inner)) as (file, size):
                            _copy_out(file, size, target.joinpath(*inner))

    def parts(self, path: str) -> Parts:
        """The path's components from the root; raises ToolRetry when it leads out."""
        if "\0" in path:
            raise ToolRetry("a path cannot hold NUL bytes")
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            raise ToolRetry(f"{path!r} is not a possible name") from None
        inner = path
        if path.startswith("/"):
            for root in (INSIDE, str(self.root)):
                if path == root or path.startswith(f"{root}/"):
                    inner = path.removeprefix(root).lstrip("/")
                    break
            else:
                raise ToolRetry(f"{path!r} is outside the workspace; give a path relative to it")
        parts = Path(posixpath.normpath(inner or ".")).parts
        if ".." in parts:
            raise ToolRetry(f"{path!r} leads out of the workspace")
        return parts

    def _split(self, path: str) -> tuple[Parts, str]:
        parts = self.parts(path)
        if not parts:
            raise ToolRetry(f"{path!r} is the workspace itself; name a file in it")
        return parts[:-1], parts[-1]

    def _is_folder(self, parts: Parts, path: str) -> bool:
        with self.open_folder(parts[:-1], path) as parent:
            name = _spelt(parent, parts[-1])
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        return stat.S_ISDIR(status.st_mode)

    @contextmanager
    def open_folder(self, parts: Parts, path: str, *, create: bool = False) -> Generator[int]:
        """A descriptor of the folder."""
        try:
            descriptor = os.open(self.root, _FOLDER)
        except OSError as error:
            raise SandboxUnavailable(
                f"the workspace {self.root} is gone: {error.strerror}"
            ) from error
        try:
            for written in parts:
                part = _spelt(descriptor, written)
                if create:
                    self._make_folder(descriptor, part)
                inner = _open(part, _FOLDER, descriptor, path)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_folder(self, parent: int, name: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent)
            if self.owner is not None:
                os.chown(name, self.owner, self.owner, dir_fd=parent, follow_symlinks=False)

    @contextmanager
    def _open_file(self, path: str) -> Generator[tuple[IO[bytes], int]]:
        parent, name = self._split(path)
        with (
            self.open_folder(parent, path) as folder,
            regular(folder, _spelt(folder, name), path) as opened,
        ):
            yield opened

    @contextmanager
    def replacing(
        self, folder: int, name: str, path: str, *, mode: int | None = None
    ) -> Generator[IO[bytes]]:
        """A new file that takes the name when all is written. It keeps the mode of the old one,
        unless one is given; never the bits that raise privileges.
        """
        with contextlib.suppress(FileNotFoundError):
            old = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(old.st_mode):
                raise ToolRetry(f"{path!r} is {_kind(old.st_mode)}; only files are replaced")
            mode = old.st_mode if mode is None else mode
        temporary = f".{uuid.uuid4().hex}.part"
        descriptor = os.open(temporary, _NEW, 0o600, dir_fd=folder)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123  there is only a descriptor
                if self.owner is not None:
                    os.fchown(descriptor, self.owner, self.owner)
                os.fchmod(descriptor, (0o644 if mode is None else mode & 0o777) | 0o600)
                yield file
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise

    def _adopt(self, folder: int) -> None:
        if self.owner is None or os.fstat(folder).st_uid == self.owner:
            return
        for inner, _, parent in walk(folder, recursive=True, special=True):
            os.chown(inner[-1], self.owner, self.owner, dir_fd=parent, follow_symlinks=False)
        os.fchown(folder, self.owner, self.owner)


def _open(name: str, flags: int, parent: int, path: str) -> int:
    try:
        return os.open(name, flags, dir_fd=parent)
    except OSError:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise ToolRetry(f"{path!r} goes through the link {name!r}; links are refused") from None
        raise


@contextmanager
def regular(parent: int, name: str, path: str) -> Generator[tuple[IO[bytes], int]]:
    """The open file and its size; anything but a regular file is refused without touching it."""
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise ToolRetry(f"{path!r} is {_kind(status.st_mode)}, not a regular file")
    descriptor = _open(name, _FILE, parent, path)
    with open(descriptor, "rb") as file:  # noqa: PTH123  there is only a descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ToolRetry(f"{path!r} is {_kind(status.st_mode)}, not a regular file")
        yield file, status.st_size


def walk(
    folder: int, *, recursive: bool, special: bool = False, above: Parts = ()
) -> Iterator[tuple[Parts, os.stat_result, int]]:
    """Path, status and parent's descriptor of what lies in the folder, a folder before its content.
    Files that are neither regular nor links are left out unless `special`.
    """
    if len(above) == DEEPEST:
        raise ToolFailed(f"folders are nested more than {DEEPEST} deep below {above[0]!r}")
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in islice(entries, MOST_ENTRIES + 1))
    if len(names) > MOST_ENTRIES:
        raise ToolFailed(f"{'/'.join(above) or '.'!r} holds more than {MOST_ENTRIES:,} entries")
    for name in names:
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        mode, path = status.st_mode, (*above, name)
        if special or stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode):
            yield path, status, folder
        if recursive and stat.S_ISDIR(mode):
            try:
                inner = os.open(name, _FOLDER, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                yield from walk(inner, recursive=True, special=special, above=path)
            finally:
                os.close(inner)


def _remove(parent: int, name: str, depth: int = 0) -> None:
    if depth == DEEPEST:
        raise ToolFailed(f"folders are nested more than {DEEPEST} deep; remove them by a command")
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=parent)
        return
    folder = _open_writable(parent, name)
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
        for inner in names:
            _remove(folder, inner, depth + 1)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)


def _open_writable(parent: int, name: str) -> int:
    """The folder, made writable for its owner; package managers leave read-only ones behind."""
    path = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.fstat(path).st_mode)
        if mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{path}", mode | 0o700)  # noqa: PTH101  there is only a descriptor
        return os.open(f"/proc/self/fd/{path}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(path)


def _copy_out(file: IO[bytes], size: int, target: Path) -> None:
    """At most `size` bytes: the file may be growing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as copy:
            while size > 0 and (data := file.read(min(size, 1 << 20))):
                size -= len(data)
                copy.write(data)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFREG: "a file",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _printable(path: str) -> str:
    """Names that are not UTF-8 in a form that can be shown and stored."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _spelt(folder: int, name: str) -> str:
    """The name as it stands in the folder, where what is given is how `list` shows it."""
    raw = _ESCAPED.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), name)
    if raw == name or _exists(folder, name) or not _exists(folder, raw):
        return name
    return raw


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


_MODEL_ERRORS = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "goes through something that is not a folder",
    errno.EISDIR: "is a folder",
    errno.EEXIST: "exists already",
    errno.ELOOP: "is a link; links are refused",
    errno.ENAMETOOLONG: "is too long a name",
    errno.EACCES: "may not be accessed",
    errno.EINVAL: "is not a possible name",
}


@contextmanager
def _refusals(path: str) -> Generator[None]:
    """The system's errors in words the model can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in _MODEL_ERRORS:
            raise ToolRetry(f"{path!r} {_MODEL_ERRORS[error.errno]}") from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ToolFailed(f"{path!r} was not written: the disk is full") from error
        raise ToolFailed(f"{path!r}: {error.strerror}") from error
