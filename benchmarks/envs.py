"""A virtual environment per peer, made once and kept as long as its pins stay the same."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parent
ENVIRONMENTS = HERE / ".envs"
SHOW_VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a peer runs in: an interpreter, variables, and the versions that the page tells."""

    python: str = sys.executable
    variables: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def ready(name: str, settings: dict) -> Environment:
    """The environment of that name, made anew where its pins or the checkout have changed.

    Args:
        name: that of its folder.
        settings: its entry in ``peers.toml``.

    Raises:
        subprocess.CalledProcessError: pip could not install it.
    """
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / "stamp.json"
    wanted = settings["requirements"] + ([str(CHECKOUT)] if settings.get("checkout") else [])
    fingerprint = _fingerprint(settings)
    made = json.loads(stamp.read_text()) if stamp.exists() else {}
    if made.get("fingerprint") != fingerprint:
        print(f"making the environment of {name}", flush=True)
        if made.get("python") != sys.version:
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
        stamp.unlink(missing_ok=True)
        _run(str(python), "-m", "pip", "install", "-qq", *wanted)
        versions = json.loads(_run(str(python), "-c", SHOW_VERSIONS, *settings["shown"]))
        made = {"fingerprint": fingerprint, "python": sys.version, "versions": versions}
        stamp.write_text(json.dumps(made))
    variables = {key: value.format(environment=folder) for key, value in settings.get("variables", {}).items()}
    return Environment(python=str(python), variables=variables, versions=made["versions"])


def _fingerprint(settings: dict) -> str:
    digest = hashlib.sha256(json.dumps([sys.version, settings], sort_keys=True).encode())
    if settings.get("checkout"):
        sources = [CHECKOUT / "pyproject.toml", *sorted((CHECKOUT / "notebook_flows").rglob("*.py"))]
        for source in sources:
            digest.update(str(source.relative_to(CHECKOUT)).encode() + source.read_bytes())
    return digest.hexdigest()


def _run(*command: str) -> str:
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ""})
    return ran.stdout
