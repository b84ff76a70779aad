"""What is kept of one stream of a command."""

from __future__ import annotations

from typing import Literal

from orchestrator.sandbox.base import OutputWatcher


class Output:
    """The first and the last bytes of a stream, half of `cap` each; the middle is dropped.

    The watcher sees the first half as it comes.
    """

    def __init__(
        self, name: Literal["stdout", "stderr"], cap: int, watcher: OutputWatcher | None
    ) -> None:
        self._name: Literal["stdout", "stderr"] = name
        self._head_room, self._tail_room = cap - cap // 2, cap // 2
        self._watcher = watcher
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0
        """Bytes seen."""

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = self._head_room - len(self._head)
        head, tail = data[:room], data[room:]
        self._head += head
        if head and self._watcher is not None:
            self._watcher(self._name, head)
        self._tail += tail
        if len(self._tail) > 2 * self._tail_room + len(data):
            self._trim()

    @property
    def dropped(self) -> int:
        return max(0, self.total - self._head_room - self._tail_room)

    def text(self) -> str:
        """What was kept, with a line in place of what was not."""
        self._trim()
        gap = f"\n[... {self.dropped} bytes left out ...]\n" if self.dropped else ""
        return bytes(self._head + gap.encode() + self._tail).decode("utf-8", "replace")

    def _trim(self) -> None:
        del self._tail[: max(0, len(self._tail) - self._tail_room)]
