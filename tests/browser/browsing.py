"""A Jupyter server of the tests' own, and what a person does in JupyterLab or Notebook 7, by commands and stable selectors."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Self

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

PATIENCE_S = 60
PATIENCE_MS = PATIENCE_S * 1000
ROOT = Path(__file__).parents[2]
_CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--font-render-hinting=none",
)


def chromium_path() -> str | None:
    """Where Chromium is installed, if it is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def launched(chromium: str) -> Iterator[Browser]:
    """Chromium under playwright. While it is open, nothing else of this thread can start an event loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, headless=True, args=list(_CHROMIUM_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True, kw_only=True)
class Server:
    """One Jupyter server; JupyterLab and Notebook 7 are both at it.

    Attributes:
        root: the folder that it shows. The history of flows is `root/history.sqlite`.
    """

    root: Path
    url: str
    token: str

    def write(self, *cells: str, name: str) -> str:
        """Write a notebook of code cells; one that begins with `# ` and has one line is a heading. Its path below root."""
        made = [
            new_markdown_cell(one) if one.startswith("# ") and "\n" not in one else new_code_cell(one) for one in cells
        ]
        for number, cell in enumerate(made):
            cell["id"] = f"cell-{number}"
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=made, metadata={"kernelspec": spec}), path)
        return name

    def copy(self, source: Path, name: str) -> str:
        """Take a notebook of the repository along. Its path below root."""
        shutil.copy(source, self.root / name)
        return name

    def read(self, name: str) -> Any:
        """The notebook as it was saved."""
        return nbformat.read(self.root / name, as_version=4)

    def ask(self, path: str) -> Any:
        """What its REST API answers."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def served(root: Path) -> Iterator[Server]:
    """Start a server that shows this folder, with settings of its own, and end it with its kernels."""
    home = root / ".jupyter"
    token = secrets.token_hex(16)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _configure(home, root, port, token)
    log = home / "server.log"
    with log.open("wb") as out:
        # not `jupyter lab`: that is the first one on PATH, which may be another environment's
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab"],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=_environment(home, root),
            cwd=root,
            start_new_session=True,
        )
    server = Server(root=root, url=f"http://127.0.0.1:{port}/", token=token)
    try:
        _wait_for(server, process, log)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)  # it ends its kernels itself
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _configure(home: Path, root: Path, port: int, token: str) -> None:
    config = {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": port,
            "port_retries": 0,
            "open_browser": False,
            "allow_root": True,
            "allow_unauthenticated_access": False,
            "root_dir": str(root),
            # as `pip install` has it; also where the tests' environment was made before that file was there
            "jpserver_extensions": {"notebook_flows": True},
        },
        "IdentityProvider": {"token": token},
        # window.jupyterapp: tests run commands, and hunt through no menus
        "LabApp": {"expose_app_in_browser": True, "check_for_updates_class": "jupyterlab.NeverCheckForUpdate"},
        "JupyterNotebookApp": {"expose_app_in_browser": True},
    }
    (home / "config").mkdir(parents=True)
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps(config))
    news = home / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True, exist_ok=True)
    (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')


def _environment(home: Path, root: Path) -> dict[str, str]:
    """The caller's, with every folder that Jupyter, IPython and we write to below `home`."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "NOTEBOOK_FLOWS_HISTORY": "on",
        "NOTEBOOK_FLOWS_STORE": str(root / "history.sqlite"),
        "NOTEBOOK_FLOWS_RESULTS": str(root / "results"),
    }


def _wait_for(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = monotonic() + 2 * PATIENCE_S
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"The Jupyter server has ended:\n{log.read_text()[-4000:]}")
        try:
            server.ask("api/status")
        except (OSError, urllib.error.URLError):
            if monotonic() > deadline:
                raise TimeoutError(f"The Jupyter server does not answer:\n{log.read_text()[-4000:]}") from None
            sleep(0.1)
        else:
            return


@dataclass
class Gate:
    """Holds a task back when it runs for the second time."""

    passed: Path
    opened: Path

    @property
    def code(self) -> str:
        return (
            "import pathlib, time\n"
            f"passed, opened = pathlib.Path({str(self.passed)!r}), pathlib.Path({str(self.opened)!r})\n"
            "while passed.exists() and not opened.exists():\n    time.sleep(0.02)\n"
            "passed.touch()\n"
        )


class Lab:
    """JupyterLab in one browser page.

    Attributes:
        page: playwright's.
        heard: (kind, text) of all that the page has put into its console.
    """

    path = "lab/tree/{name}?reset&"

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self.server = page, server
        self.heard: list[tuple[str, str]] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda one: self.heard.append((one.type, one.text)))
        page.on("pageerror", lambda one: self.heard.append(("pageerror", str(one))))

    def open(self, name: str) -> Self:
        """Open the page with this notebook, and wait until its kernel is idle."""
        self.page.goto(f"{self.server.url}{self.path.format(name=name)}token={self.server.token}", wait_until="commit")
        return self._ready()

    def reload(self) -> Self:
        """What F5 does; waits until the notebook is there again, not for its kernel."""
        self.page.reload(wait_until="commit")
        return self._ready(idle=False)

    def _ready(self, *, idle: bool = True) -> Self:
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate("() => window.jupyterapp.restored.then(() => true)")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").first.wait_for()
        self.page.wait_for_function(_CONNECTED)
        if idle:
            self.wait_idle()
        return self

    def command(self, name: str, args: dict[str, Any] | None = None, *, wait: bool = True) -> None:
        """Run a command by its id; `wait` for what it promises, such as the end of all cells."""
        ran = "window.jupyterapp.commands.execute(id, args)"
        script = f"{ran}.then(() => true)" if wait else f"{{ {ran}; return true; }}"
        self.page.evaluate(f"([id, args]) => {script}", [name, args or {}])

    def wait_idle(self) -> None:
        """Until the kernel is connected and idle."""
        self.page.wait_for_function(_IDLE)

    def run_all(self, *, wait: bool = True) -> None:
        """Run all cells; `wait` until they have run."""
        self.command("notebook:run-all-cells", wait=wait)

    def run_cell(self, index: int, *, wait: bool = True) -> None:
        """Run one cell; `wait` until it has run."""
        self.page.evaluate(f"i => {{ {_NOTEBOOK}.activeCellIndex = i; }}", index)
        self.command("notebook:run-cell", wait=wait)

    def append(self, source: str, *, wait: bool = True) -> int:
        """Add a cell at the end, and run it. Its index."""
        index = int(
            self.page.evaluate(
                f"""source => {{ const model = {_NOTEBOOK}.model;
                    model.sharedModel.addCell({{cell_type: 'code', source}});
                    return model.cells.length - 1; }}""",
                source,
            )
        )
        self.run_cell(index, wait=wait)
        return index

    def save(self) -> None:
        """Save the notebook."""
        self.command("docmanager:save")

    def scroll_to(self, index: int) -> None:
        """Bring a cell into view: what is out of view is not in the page."""
        self.page.evaluate(f"i => {_NOTEBOOK}.scrollToItem(i)", index)

    def cell(self, index: int) -> Locator:
        """A cell; it has to be in view."""
        return self.page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell[data-windowed-list-index='{index}']")

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """All outputs below a cell, as they would be saved, in view or not."""
        found = self.page.evaluate(f"i => {_NOTEBOOK}.model.cells.get(i).outputs?.toJSON() ?? []", index)
        return list(found)

    def text(self, index: int) -> str:
        """All that is printed or shown as plain text below a cell, and the name of an error."""
        return "\n".join(_plain(one) for one in self.outputs(index))

    def wait_for_text(self, index: int, text: str) -> None:
        """Until this stands below a cell."""
        self.page.wait_for_function(
            f"([i, text]) => JSON.stringify({_NOTEBOOK}.model.cells.get(i).outputs.toJSON()).includes(text)",
            arg=[index, text],
        )

    def wait_for_printed(self, index: int, text: str) -> None:
        """Until this, and no more, is what is printed below a cell."""
        printed = f"{_NOTEBOOK}.model.cells.get(i).outputs.toJSON().map(one => one.text ?? '').join('')"
        self.page.wait_for_function(f"([i, text]) => {printed} === text", arg=[index, text])

    def theme(self, name: str) -> None:
        """Change to `JupyterLab Dark` or `JupyterLab Light`."""
        self.command("apputils:change-theme", {"theme": name})
        is_light = "true" if "Light" in name else "false"
        self.page.wait_for_selector(
            f"body[data-jp-theme-light='{is_light}']", state="attached"
        )  # body counts as hidden

    def errors(self) -> list[str]:
        """What went wrong in the page's scripts."""
        return [text for kind, text in self.heard if kind == "pageerror"]


class Notebook7(Lab):
    """The same actions in Notebook 7, where a page has one notebook and no splash."""

    path = "notebooks/{name}?"

    def errors(self) -> list[str]:
        """What went wrong, without the errors of its own that it has with no extension, too."""
        own = ("reading 'schema'", "'filebrowser:open-path' not registered")
        return [text for text in super().errors() if not any(one in text for one in own)]


_NOTEBOOK = "window.jupyterapp.shell.currentWidget.content"
_CONNECTED = """() => {
    const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel && kernel.connectionStatus === 'connected'; }"""
_IDLE = """() => {
    const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle'; }"""


def _plain(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return "".join(output["data"].get("text/plain", ""))


def open_waiting_cells(front: Lab, gate: Gate, name: str, *, then: str = "") -> None:
    """Open a notebook of which cell 3 runs task cells, the first of which waits at the gate.

    Args:
        front: where.
        gate: holds it back.
        name: becomes a part of the notebook's.
        then: what it does behind the gate, whole lines.
    """
    made = front.server.write(
        "%load_ext notebook_flows",
        f"%%task first\nprint('waits', flush=True)\n{gate.code}{then}x = 1",
        "%%task second\nprint('the second says', x + 1)",
        "%flow run --all",
        name=f"{type(front).__name__}-{name}.ipynb",
    )
    front.open(made)
    for index in range(3):
        front.run_cell(index)
