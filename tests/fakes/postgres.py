"""A real PostgreSQL for a test: an empty server in a directory of its own, on a free port, gone when the test ends.

Found in PATH or where Debian puts it (`PDR_POSTGRES_BIN` names another place). PostgreSQL refuses to run as root, so
root runs it as `postgres`, or as `nobody` where there is no such user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "correct-horse-battery"
"""In every URL. The server asks for it, and nobody may write it anywhere."""


def binaries() -> Path | None:
    """Where `postgres` and `initdb` are; None where they are not."""
    if named := os.environ.get("PDR_POSTGRES_BIN"):
        return Path(named)
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    there = [*debian, *(Path(p).parent for p in [shutil.which("postgres")] if p)]
    return next((path for path in there if (path / "initdb").exists() and (path / "postgres").exists()), None)


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int

    def url(self, database: str, host: str = "127.0.0.1") -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql://tester:{PASSWORD}@{host}:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make a database; its URL."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)


@contextmanager
def running(binary: Path) -> Iterator[Postgres]:
    """Start a server and stop it."""
    home = Path(tempfile.mkdtemp(prefix="pdr-pg-"))
    prefix = _as_somebody(home)
    try:
        secret = home / "secret"
        secret.write_text(PASSWORD, encoding="utf-8")
        secret.chmod(0o644)
        made = [binary / "initdb", "-D", home / "data", "-U", "tester", "-A", "scram-sha-256", f"--pwfile={secret}"]
        subprocess.run([*prefix, *map(str, made), "-N"], check=True, capture_output=True, cwd=home)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": home, "fsync": "off"}
        asked = [f"{name}={value}" for name, value in settings.items()]
        command = [*prefix, str(binary / "postgres"), "-D", str(home / "data")]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen([*command, *(x for a in asked for x in ("-c", a))], stderr=log, cwd=home)
        try:
            _wait(port, server, home / "log")
            yield Postgres(port)
        finally:
            server.send_signal(signal.SIGINT)  # "fast shutdown": does not wait for clients
            server.wait(60)
    finally:
        shutil.rmtree(home)


def _as_somebody(home: Path) -> list[str]:
    if os.getuid() != 0:
        return []
    known = {user.pw_name for user in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    os.chown(home, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    until = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(Postgres(port).url("postgres")).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.1)
