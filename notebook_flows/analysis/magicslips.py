"""What is wrong with a magic that IPython does not find, and what was likely meant."""

from __future__ import annotations

import re

from notebook_flows.analysis.magics import known_names
from notebook_flows.errors import did_you_mean

_NOT_FOUND = re.compile(r"(?:(?P<cell>Cell magic `%%)|Line magic function `%)(?P<name>[^`\s]+)` not found")
_OPAQUE = re.compile(r"unknown magic (?P<signs>%%?)(?P<name>\S+)")
_OWN = frozenset({"task", "flow", "nbflow"})
# Magics of extensions: what has to be loaded, and what to install where that has another name.
_EXTENSIONS = {
    "sql": ("sql", "jupysql"),
    "R": ("rpy2.ipython", "rpy2"),
    "cython": ("Cython", "Cython"),
    "memit": ("memory_profiler", "memory_profiler"),
    "mprun": ("memory_profiler", "memory_profiler"),
    "lprun": ("line_profiler", "line_profiler"),
    "snakeviz": ("snakeviz", "snakeviz"),
    "scalene": ("scalene", "scalene"),
    "pyinstrument": ("pyinstrument", "pyinstrument"),
    "autotime": ("autotime", "ipython-autotime"),
    "watermark": ("watermark", "watermark"),
    "bigquery": ("bigquery_magics", "bigquery-magics"),
    "ai": ("jupyter_ai_magics", "jupyter-ai-magics"),
    "aimport": ("autoreload", ""),
    "autoreload": ("autoreload", ""),
    "store": ("storemagic", ""),
    "task": ("notebook_flows", ""),
    "flow": ("notebook_flows", ""),
    "nbflow": ("notebook_flows", ""),
}


def advice(message: str) -> str:
    """What to do about a magic that IPython says it has not found, as a sentence to append; nothing if that is not it.

    >>> advice("Cell magic `%%Task` not found.")
    " Did you mean '%%task'?"
    >>> advice("Line magic function `%%task` not found.")
    ' `%%task` has to be the first line of its cell; only blank lines and comments may stand above it.'
    """
    found = _NOT_FOUND.search(message)
    return "" if found is None else _advice(found["name"], "%%" if found["cell"] else "%")


def sure_slip(reason: str) -> str | None:
    """The sentence on a magic that the analysis does not know, if it is surely a slip; None if some extension may have it.

    >>> sure_slip("unknown magic %%Task")
    "there is no magic %%Task. Did you mean '%%task'?"
    >>> sure_slip("unknown magic %%sql")
    """
    found = _OPAQUE.fullmatch(reason)
    if found is None:
        return None
    signs, name = found["signs"], found["name"]
    if signs == "%%" and name in known_names():  # known, and yet not understood: it does not stand where it should
        return _advice(f"%{name}", "%").strip()
    if name.casefold() in _OWN:
        return f"there is no magic {signs}{name}.{_advice(name, signs)}"
    return None


def _advice(name: str, signs: str) -> str:
    if name.startswith("%"):  # a cell magic somewhere below the first line
        above = "; only blank lines and comments may stand above it" if name == "%task" else ""
        return f" `%{name}` has to be the first line of its cell{above}."
    if name in _EXTENSIONS:
        extension, package = _EXTENSIONS[name]
        install = f", which `pip install {package}` brings" if package else ""
        return f" Put `%load_ext {extension}` into a cell above{install}."
    if name.casefold() in _OWN:
        return f" Did you mean '{signs}{name.casefold()}'?"
    return did_you_mean(signs + name, [signs + known for known in sorted({*known_names(), *_EXTENSIONS})])
