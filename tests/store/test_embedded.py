"""The supervisor of the embedded PostgreSQL: nothing is believed that was not seen."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from tests import servers
from twin.errors import ConfigError
from twin.store import embedded_files
from twin.store.embedded import EmbeddedPostgres
from twin.store.embedded_files import find_programs


@pytest.fixture
def folder():
    with servers.open_folder("embedded") as made:
        yield made


def scalar(dsn, query):
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


def port_of(dsn):
    return int(psycopg.conninfo.conninfo_to_dict(dsn)["port"])


def test_data_and_address_survive_a_restart(folder):
    with EmbeddedPostgres(folder) as server:
        first = server.dsn
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT 7 AS x")
        pid = server.pid
    assert not psutil.pid_exists(pid)
    with EmbeddedPostgres(folder) as server:
        assert server.dsn == first
        assert scalar(server.dsn, "SELECT x FROM t") == 7


def test_the_address_is_for_its_owner_only_and_needs_the_password(folder):
    with EmbeddedPostgres(folder) as server:
        for name in ("dsn", "password"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert (folder / "dsn").read_text() == server.dsn
        assert scalar(server.dsn, "SHOW listen_addresses") == "127.0.0.1"
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(psycopg.conninfo.make_conninfo(server.dsn, password="guess"))


def test_a_port_that_is_taken_is_replaced_by_a_free_one(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with EmbeddedPostgres(folder, port=port) as server:
            assert port_of(server.dsn) != port
    with EmbeddedPostgres(folder, port=port) as server:
        assert port_of(server.dsn) == port


def test_a_second_owner_is_refused_and_told_where_the_address_is(folder):
    with EmbeddedPostgres(folder), pytest.raises(ConfigError, match="another process runs the database"):
        EmbeddedPostgres(folder).start()


def test_a_server_whose_owner_was_killed_is_taken_over(folder):
    code = (
        "import sys, os, signal, pathlib; from twin.store.embedded import EmbeddedPostgres; "
        "EmbeddedPostgres(pathlib.Path(sys.argv[1])).start(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    left = int((folder / "data").resolve().joinpath("postmaster.pid").read_text().split()[0])
    assert psutil.pid_exists(left)
    with EmbeddedPostgres(folder) as server:
        assert server.pid == left
        assert server.is_alive()
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


def test_a_pid_file_that_names_a_stranger_is_not_believed_and_the_stranger_lives(folder):
    with EmbeddedPostgres(folder):
        data = (folder / "data").resolve()
        held = (data / "postmaster.pid").read_text()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            (data / "postmaster.pid").write_text(held.replace(held.split("\n")[0], str(stranger.pid), 1))
            os.chown(data / "postmaster.pid", data.stat().st_uid, data.stat().st_gid)
            with EmbeddedPostgres(folder) as server:
                assert server.pid != stranger.pid
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_killed_server_recovers_what_was_committed(folder):
    with EmbeddedPostgres(folder) as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE t AS SELECT * FROM generate_series(1, 100000) AS x")
        os.kill(server.pid, signal.SIGKILL)
        servers.wait_for(lambda: not server.is_alive(), what="end of the server")
    with EmbeddedPostgres(folder) as server:
        assert scalar(server.dsn, "SELECT count(*) FROM t") == 100_000


def test_a_cluster_of_another_major_version_is_refused_with_what_to_do(folder):
    with EmbeddedPostgres(folder):
        data = (folder / "data").resolve()
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ConfigError, match=r"PostgreSQL 9.*PG_BIN"):
        EmbeddedPostgres(folder).start()


def test_pg_bin_chooses_other_programs(monkeypatch, folder):
    monkeypatch.setenv("PG_BIN", str(folder))
    with pytest.raises(ConfigError, match="PG_BIN"):
        EmbeddedPostgres(folder / "database").start()
    monkeypatch.setenv("PG_BIN", str(servers.timescale_programs()))
    assert find_programs() == servers.timescale_programs()
    with EmbeddedPostgres(folder / "database") as server:
        assert scalar(server.dsn, "SHOW server_version_num").startswith("17")


def test_a_private_folder_stays_private(folder, monkeypatch):
    monkeypatch.setattr(embedded_files, "ROOTS_FOLDER", folder / "roots")
    private = folder / "home"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "database") as server:
        assert server.is_alive()
        data = (private / "database" / "data").resolve()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    if os.geteuid() == 0:
        assert data.is_relative_to(folder / "roots")


def test_an_interrupted_initdb_is_done_again(folder):
    data = folder / "data"
    data.mkdir(mode=0o700)
    (data / "half").mkdir()
    (data / "half" / "file").write_text("torn")
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", str(data)], check=True)
    with EmbeddedPostgres(folder) as server:
        assert server.is_alive()
    assert not Path(data / "half").exists()


def test_programs_in_a_private_folder_run_from_a_copy_with_their_libraries(folder, monkeypatch):
    """As root only is there a user that cannot reach them; as anybody else they run where they are."""
    package = find_programs().parents[1]
    private = folder / "private"
    private.mkdir(mode=0o700)
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, private / part.name, symlinks=True)
    monkeypatch.setattr(embedded_files, "ROOTS_FOLDER", folder / "roots")
    with EmbeddedPostgres(folder / "database", programs=private / package.name / "pginstall" / "bin") as server:
        assert server.is_alive()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert (folder / "roots").exists() == (os.geteuid() == 0)
