"""The one door to numba: `compiled` turns a plain function over arrays into machine code, kept on disk between starts.

Without fused multiply-add or reordering: the machine code gives bit for bit what the plain Python gives.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core import config
from numba.core.registry import CPUDispatcher

P = ParamSpec("P")
R = TypeVar("R")


def _source_hash() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _keep_machine_code_per_source() -> None:
    """Numba notices a change in the entry function's own file only; a folder per source hash notices all of them."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "fabriquay" / f"kernels-{_source_hash()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home: numba falls back to the folder of the source, or compiles anew
    cast("Any", config).CACHE_DIR = str(folder)


_keep_machine_code_per_source()


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use, cache the machine code, release the GIL while it runs."""
    decorate = cast("Any", numba.njit)(cache=True, nogil=True, error_model="numpy")
    return cast("Callable[P, R]", decorate(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, for a step that is copied into each loop that calls it."""
    decorate = cast("Any", numba.njit)(cache=True, nogil=True, error_model="numpy", forceinline=True)
    return cast("Callable[P, R]", decorate(function))


def step(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, for what only kernels call: kept on disk as a part of its callers, and without a door to Python,
    which for a function of many arrays is most of what compiling it costs.
    """
    return _step(function, forceinline=False)


def inlined_step(function: Callable[P, R]) -> Callable[P, R]:
    """As `step`, for what is copied into each loop that calls it: of many arrays, where the call would cost more."""
    return _step(function, forceinline=True)


def _step(function: Callable[P, R], *, forceinline: bool) -> Callable[P, R]:
    if cast("Any", config).DISABLE_JIT:
        return function
    options = {"nopython": True, "nogil": True, "error_model": "numpy", "forceinline": forceinline}
    doors = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast("Callable[P, R]", _Step(function, targetoptions={**options, **doors}))


class _Step(cast("Any", CPUDispatcher)):
    """Without a door a call from Python would end the process; it raises TypeError instead."""

    def add_overload(self, cres: Any) -> None:  # noqa: ANN401 – numba has no types
        self.overloads[tuple(cres.signature.args)] = cres

    def _compile_for_args(self, *_args: object, **_named: object) -> None:
        raise TypeError(f"{self.py_func.__name__} is a step of a kernel; call the kernel")


def _float_bits() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The bits of a float32 as an int32 and back; LLVM's bitcast, which vectorises, or numpy's view without the JIT."""
    if cast("Any", config).DISABLE_JIT:
        return lambda x: np.float32(x).view(np.int32), lambda x: np.int32(x).view(np.float32)
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def cast_to(source: Any, target: Any, kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401 – numba has no types
        def typed(_context: Any, _x: Any) -> Any:  # noqa: ANN401
            def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
                return builder.bitcast(arguments[0], kind)

            return target(source), generate

        return cast("Any", intrinsic)(typed)

    return (
        cast_to(types.float32, types.int32, ir.IntType(32)),
        cast_to(types.int32, types.float32, ir.FloatType()),
    )


float_bits, bits_float = _float_bits()
