"""What the operating system knows of a process: its parent, whether it runs, its command line.

From /proc where there is one (a small container has no `ps`), else from `ps`.
"""

import subprocess
from pathlib import Path

_PROC = Path("/proc")


def parent(pid: int) -> int | None:
    """The pid of the parent, None when there is no such process."""
    if _PROC.joinpath("self").exists():
        found = _stat(pid)
        return int(found[1]) if found else None
    answer = _ps("ppid", pid)
    return int(answer) if answer else None


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    if _PROC.joinpath("self").exists():
        found = _stat(pid)
        return found is not None and found[0] not in "ZX"
    state = _ps("stat", pid)
    return bool(state) and not state.startswith("Z")


def command_line(pid: int) -> str:
    """The arguments, joined by blanks; empty when there is no such process."""
    if _PROC.joinpath("self").exists():
        try:
            return _PROC.joinpath(str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return _ps("args", pid)


def _stat(pid: int) -> tuple[str, str] | None:
    """State and parent from /proc/pid/stat; the name before them may hold blanks and brackets."""
    try:
        text = _PROC.joinpath(str(pid), "stat").read_text(errors="replace")
    except OSError:
        return None
    state, ppid = text.rpartition(")")[2].split()[:2]
    return state, ppid


def _ps(column: str, pid: int) -> str:
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
