"""How numpy's values are written into a fingerprint: data type, shape, content. How they lie in memory does not count."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from notebook_flows.fingerprints.builtin import one_piece
from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.libraries import library_of
from notebook_flows.fingerprints.walk import named

if TYPE_CHECKING:
    from notebook_flows.fingerprints.walk import Walk


def writer_for(kind: type) -> Any:
    """What writes values of this type of numpy's, or of one derived from it; None: nothing special."""
    if issubclass(kind, np.ndarray):
        if kind in {np.ndarray, np.memmap}:
            return write_array
        if issubclass(kind, np.ma.MaskedArray):
            return _write_masked
        return _write_derived if kind in {np.matrix, np.recarray} else _refuse
    if issubclass(kind, np.generic):
        return _write_scalar
    if issubclass(kind, np.dtype):
        return _write_dtype
    if kind is np.ufunc:
        return _write_ufunc
    if kind is np.random.Generator:
        return _write_generator
    return _write_random_state if kind is np.random.RandomState else None


def write_array(walk: Walk, array: Any) -> None:
    """Write an array."""
    dtype = array.dtype
    walk.text("ndarray", _dtype_text(dtype), repr(array.shape))
    if dtype.names is not None:
        for name in dtype.names:  # one by one, for what lies between fields is anything
            walk.text("field", name)
            write_array(walk, array[name])
    elif dtype.hasobject:
        elements = array.ravel().tolist()
        if not one_piece(walk, "objects", elements):
            for number, one in enumerate(elements):
                walk.inside(f"element {number}", one)
    elif dtype.kind == "T":  # strings of variable length: their memory holds pointers
        walk.inside("the strings", array.ravel().tolist())
    else:
        walk.put_large("content", np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _dtype_text(dtype: Any) -> str:
    if dtype.names is not None:
        return repr([(name, _dtype_text(dtype.fields[name][0])) for name in dtype.names])
    if dtype.subdtype is not None:
        return f"{_dtype_text(dtype.subdtype[0])}{dtype.subdtype[1]}"
    return str(dtype.str) if dtype.kind != "T" else repr(dtype)


def _write_masked(walk: Walk, array: Any) -> None:
    mask = np.ma.getmaskarray(array)
    walk.put("masked", str(array.fill_value).encode())
    write_array(walk, mask)
    hidden = np.asarray(array.data).copy()
    hidden[mask] = np.zeros((), dtype=hidden.dtype)  # what the mask hides does not count
    write_array(walk, hidden)


def _write_derived(walk: Walk, array: Any) -> None:
    walk.text("derived", type(array).__name__)
    write_array(walk, np.asarray(array))


def _refuse(walk: Walk, array: Any) -> None:
    raise Unhashable(
        f"{named(array)} is an array with more to it than numpy knows: give the class a method __fingerprint__"
    )


def _write_scalar(walk: Walk, scalar: Any) -> None:
    if isinstance(scalar, np.void) and scalar.dtype.names is None:
        walk.put("void", scalar.tobytes())
        return
    walk.put("scalar")
    write_array(walk, np.asarray(scalar))


def _write_dtype(walk: Walk, dtype: Any) -> None:
    walk.text("dtype", _dtype_text(dtype))


def _write_ufunc(walk: Walk, ufunc: Any) -> None:
    """By the name that it has in a library; those that are made of a function, by ``np.frompyfunc``, do not tell of which."""
    name = str(ufunc.__name__)
    if vars(np).get(name) is ufunc:
        walk.text("ufunc", name, np.__version__)
        return
    for module_name, module in sorted(sys.modules.items()):
        library = library_of(module_name)
        if library is not None and getattr(module, "__dict__", {}).get(name) is ufunc:
            walk.text("ufunc", name, library)
            return
    raise Unhashable(
        f"{ufunc!r} is made of a function that cannot be seen in it, as by np.frompyfunc: use np.vectorize, or call "
        "np.frompyfunc inside of the function that needs it"
    )


def _write_generator(walk: Walk, generator: Any) -> None:
    walk.put("random generator")
    walk.value(generator.bit_generator.state)


def _write_random_state(walk: Walk, state: Any) -> None:
    walk.put("random state")
    walk.value(state.get_state(legacy=False))
