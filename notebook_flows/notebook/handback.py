"""Values that a notebook hands back: `return_value` in its cells, and how they are read from the executed notebook.

They travel as outputs of cells, in the form that scrapbook's ``glue`` has given them: either of the two reads what
the other has written, as far as its encoder is known.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbformat import NotebookNode

PREFIX = "application/scrapbook.scrap."
SUFFIX = "+json"
RECORD = "application/papermill.record+json"
"""How papermill's own ``record`` wrote values, before there was scrapbook."""
UNNAMED = "return_value"
"""The name of a value that is handed back without one."""
LARGEST_BYTES = 50_000_000
OUR_PICKLE = "pickle"
OURS = "application/vnd.notebook-flows.value+json"
"""For what scrapbook has no encoder: it fails on those that it does not know, and passes over other kinds of outputs."""


class HandbackError(FlowError, ValueError):
    """A value that cannot be handed back, or one that cannot be read."""


class Values(Mapping[str, Any]):
    """What a notebook has handed back, by name; each value is made when it is first asked for.

    Args:
        made: {name: makes the value}.
        where: how sentences call the notebook.
    """

    def __init__(self, made: Mapping[str, Callable[[], Any]], where: str) -> None:
        self._made = made
        self._where = where
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            try:
                make = self._made[name]
            except KeyError:
                raise NoValue(name, tuple(self._made), self._where) from None
            self._known[name] = make()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def __repr__(self) -> str:
        return f"<values of {self._where}: {', '.join(self._made) or 'none'}>"


class NoValue(FlowError, KeyError):  # noqa: N818 - the sentence that people read
    """A notebook has handed back no value of this name."""

    def __init__(self, name: str, known: tuple[str, ...], where: str) -> None:
        super().__init__(name, known, where)
        self.name, self.known, self.where = name, known, where

    def __str__(self) -> str:
        listed = f"It has: {', '.join(self.known)}." if self.known else "It has handed back nothing."
        what = "no value without a name" if self.name == UNNAMED else f"no value {self.name!r}"
        return f"{self.where} has handed back {what}.{did_you_mean(self.name, self.known)} {listed}"


def return_value(value: Any = ..., /, *others: Any, **named: Any) -> None:
    """Hand values back from a notebook to whoever runs it, as `notebook_task` does.

    Call it in a cell: ``return_value(42)`` for one value, ``return_value(rows=10, table=df)`` for several. The last
    call for a name counts. JSON values, text and pandas tables are written so that scrapbook reads them too; what else
    can be pickled is pickled.

    Raises:
        HandbackError: we are in no notebook, or the value cannot be written, or is larger than 50 MB.
    """
    if others:
        raise HandbackError(
            f"return_value() was called with {len(others) + 1} values without names. Give them names: "
            "return_value(rows=10, total=3), or hand back one value: return_value((10, 3))."
        )
    values = dict(named) if value is ... else {UNNAMED: value, **named}
    if not values:
        raise HandbackError("return_value() was called without a value: return_value(42), or return_value(rows=10).")
    bundles = [bundle_of(name, one) for name, one in values.items()]  # all, before any is shown
    display = _display()
    for data, metadata in bundles:
        display(data, metadata=metadata, raw=True)


def _display() -> Any:
    import sys

    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if not shell:
        raise HandbackError("return_value() hands values back from a notebook; there is none here.")
    from IPython.display import display

    return display


def bundle_of(name: str, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The data and the metadata of the output that carries a value.

    Raises:
        HandbackError: it cannot be written.
    """
    encoder, data = _encoded(name, value)
    payload = {"name": name, "data": data, "encoder": encoder, "version": 1}
    size = len(data) if isinstance(data, str) else len(json.dumps(data))
    if size > LARGEST_BYTES:
        raise HandbackError(
            f"The value {name!r} takes {size / 1e6:.0f} MB, and a notebook carries {LARGEST_BYTES / 1e6:.0f} MB at "
            "most. Write it to a file, and hand back the file's name."
        )
    if encoder == OUR_PICKLE:
        return {OURS: payload}, {}
    metadata = {"scrapbook": {"name": name, "data": True, "display": False}}
    return {f"{PREFIX}{encoder}{SUFFIX}": payload}, metadata


def _encoded(name: str, value: Any) -> tuple[str, Any]:
    if type(value) is str:
        return "text", value
    if _is_json(value, 0):
        return "json", value
    if type(value).__name__ == "DataFrame" and type(value).__module__.partition(".")[0] == "pandas":
        table = _parquet(value)
        if table is not None:
            return "pandas", table
    import cloudpickle

    try:
        return OUR_PICKLE, base64.b64encode(cloudpickle.dumps(value)).decode()
    except Exception as error:  # whatever a value's own pickling raises
        raise HandbackError(
            f"The value {name!r}, a {type(value).__name__}, cannot be handed back, for it cannot be pickled: {error}"
        ) from error


def _is_json(value: Any, depth: int) -> bool:
    """Whether JSON gives exactly this value back: no tuples, no keys but text, no NaN, nothing derived."""
    kind = type(value)
    if value is None or kind in {bool, int, str}:
        return True
    if kind is float:
        return math.isfinite(value)
    if depth > 50:
        return False
    if kind is list:
        return all(_is_json(one, depth + 1) for one in value)
    return kind is dict and all(type(name) is str and _is_json(one, depth + 1) for name, one in value.items())


def _parquet(table: Any) -> str | None:
    """A table as scrapbook writes it; None where pyarrow is missing, or does not give the same table back."""
    try:
        import pandas as pd
        import pyarrow as pa  # noqa: F401 - pandas needs it
    except ImportError:
        return None
    target = io.BytesIO()
    try:
        table.to_parquet(target, engine="pyarrow")
        target.seek(0)
        pd.testing.assert_frame_equal(pd.read_parquet(target, engine="pyarrow"), table)
    except Exception:  # columns that are no text, objects that Arrow does not know: pickling takes them
        return None
    return base64.b64encode(target.getvalue()).decode()


def values_in(notebook: NotebookNode, where: str, *, unpickles: bool = False) -> Values:
    """What an executed notebook has handed back, by `return_value` or by scrapbook's ``glue``.

    Args:
        notebook: as it was saved.
        where: how sentences call it.
        unpickles: pickled values may be read: only right for a notebook that we have just run ourselves, since
            unpickling runs code.
    """
    made: dict[str, Callable[[], Any]] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            for kind, payload in output.get("data", {}).items():
                if kind == RECORD and isinstance(payload, dict):
                    made.update({str(name): _as_it_is(value) for name, value in payload.items()})
                elif _is_value(kind) and isinstance(payload, dict):
                    name = str(payload.get("name", UNNAMED))
                    encoder = str(payload.get("encoder") or kind[len(PREFIX) : -len(SUFFIX)])
                    made.pop(name, None)
                    made[name] = _maker(name, encoder, payload.get("data"), where, unpickles=unpickles)
    return Values(made, where)


def _is_value(kind: str) -> bool:
    return kind == OURS or (kind.startswith(PREFIX) and kind.endswith(SUFFIX))


def _as_it_is(value: Any) -> Callable[[], Any]:
    return lambda: _decoded("json", value, unpickles=False)


def _maker(name: str, encoder: str, data: Any, where: str, *, unpickles: bool) -> Callable[[], Any]:
    def make() -> Any:
        try:
            return _decoded(encoder, data, unpickles=unpickles)
        except HandbackError:
            raise
        except Exception as error:  # damaged bytes, a missing library
            raise HandbackError(f"The value {name!r} of {where} cannot be read: {error}") from error

    return make


def _decoded(encoder: str, data: Any, *, unpickles: bool) -> Any:
    if encoder in {"json", "text", "display"}:
        return json.loads(json.dumps(data))  # nbformat has made dicts of its own kind
    if encoder == "pandas":
        import pandas as pd

        return pd.read_parquet(io.BytesIO(base64.b64decode(data)), engine="pyarrow")
    if encoder == "arrow":
        import pyarrow as pa

        return pa.ipc.open_stream(base64.b64decode(data)).read_all()
    if encoder == OUR_PICKLE and unpickles:
        import pickle

        return pickle.loads(base64.b64decode(data))
    if encoder == OUR_PICKLE:
        raise HandbackError("it is a pickle, which is only read right after the notebook has run.")
    raise HandbackError(f"nobody here knows the encoder {encoder!r}.")
