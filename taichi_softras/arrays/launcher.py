"""Kernels: what they declare of their arguments, and how they are launched.

At each launch Taichi's front end looks at every argument anew, for some 20 microseconds each. So
what it compiles is kept here for each signature, the types and dimensions of a call's arrays, and
is launched by private calls of Taichi 1.7 that take the arrays' addresses. Taichi's own launches
are those that a tape is to record, those of arrays that are not where it runs, and all where a
private call is missing.
"""

import functools
import inspect
import sys
import weakref
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from taichi_softras.arrays.compiling import first_launch, short_positions
from taichi_softras.arrays.counts import note_launch, note_wait
from taichi_softras.arrays.runtime import LAUNCH_LOCK
from taichi_softras.backend import BACKEND, impl, ti

Sharer = Literal["item", "row"]
"""What shares an entry of an argument: the items, or all rows, such as vertices, of all items."""

_INTEGERS = (int, np.integer)
_FLOATS = (float, np.floating, *_INTEGERS)

_SETTERS = {
    ti.f32: ("set_arg_float", _FLOATS),
    ti.f64: ("set_arg_float", _FLOATS),
    ti.i32: ("set_arg_int", _INTEGERS),
    ti.i64: ("set_arg_int", _INTEGERS),
}
"""By type of a number how a launch is given it, and what it must be."""

_PRIVATE_CALLS: dict[Any, tuple[str, ...]] = {
    ti.lang.kernel_impl.Kernel: ("ensure_compiled", "construct_kernel_ret"),
    getattr(ti.lang.ast.ast_transformer_utils, "ASTTransformerContext", None): ("get_pos_info",),
    getattr(ti._lib.core, "Program", None): (
        "compile_kernel",
        "config",
        "get_device_caps",
        "launch_kernel",
        "synchronize",
    ),
    getattr(ti._lib.core, "Kernel", None): ("make_launch_context",),
    getattr(ti._lib.core, "KernelLaunchContext", None): (
        "set_arg_external_array_with_shape",
        "set_arg_ndarray",
        "set_arg_ndarray_with_grad",
        "set_arg_float",
        "set_arg_int",
    ),
}
"""Methods that a launch needs, by Taichi's classes."""

_PRIVATE_FIELDS = ("runtime", "compiled_kernels", "return_type", "has_print")
"""What a launch looks at in Taichi's object of a kernel, beside that."""

_FUNCTION = "func" if BACKEND == "taichi" else "wrapper"
"""Where what ``ti.func`` returns has what it made."""


class _Arguments(NamedTuple):
    """What a kernel takes, by position.

    Attributes:
        names: Of all arguments.
        arrays: The arrays, and how many of their last dimensions are those of an element.
        numbers: The numbers, how a launch is given one, and what it must be.
    """

    names: tuple[str, ...]
    arrays: tuple[tuple[int, int], ...]
    numbers: tuple[tuple[int, str, tuple[type, ...]], ...]


Signature = tuple[Any, ...]
"""Types and dimensions of a call's arrays."""

Place = tuple[int, Any, int] | None
"""Address, sizes and address of the gradient of a tensor; None of an ndarray."""


class _Compiled:
    """What is kept of a signature: the compiled kernel, and where its arguments are put.

    Attributes:
        kernel: The compiled kernel.
        make_context: Makes Taichi's object that holds the arguments of a launch.
        context: Such an object, for all launches of a CPU one after another: what is as it was at
            the last one is not put there again. None on a GPU, where a launch leaves its marks.
        places: The `Place` of each array that it holds.
        numbers: The numbers that it holds.
    """

    __slots__ = ("context", "kernel", "make_context", "numbers", "places")

    def __init__(
        self, kernel: Any, make_context: Callable[[], Any], arguments: _Arguments, *, on_cpu: bool
    ) -> None:
        self.kernel, self.make_context = kernel, make_context
        self.context = make_context() if on_cpu else None
        self.places: list[Place] = [None] * len(arguments.arrays)
        self.numbers: list[Any] = [None] * len(arguments.numbers)


class _Launcher:
    """Launches a kernel, or its gradient.

    Attributes:
        plain: Taichi's own way to do so.
        _is_quick: Whether it is compiled without Taichi's optimization of control flow.
        _taichi: Taichi's object of it, which is private; None if it is launched plainly.
        _kept: What was compiled, by signature, for the program that runs: all that Taichi compiled
            goes with ``ti.reset`` and a new ``ti.init``.
    """

    def __init__(
        self,
        plain: Callable[..., Any],
        taichi: Any,
        arguments: _Arguments | None,
        *,
        is_quick: bool = False,
    ) -> None:
        self.plain = plain
        self._is_quick = is_quick
        self._returns = taichi is not None and taichi.return_type is not None
        self._taichi: Any = taichi if arguments is not None else None
        self._arguments = _Arguments((), (), ()) if arguments is None else arguments
        self._kept: dict[Signature, _Compiled] = {}
        self._program: Callable[[], Any] = lambda: None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Launch."""
        with LAUNCH_LOCK:
            note_launch()
            if self._returns:
                note_wait()
            ordered = self._order(args, kwargs)
            program = self._find_program()
            looked_at = None
            if ordered is not None and program is not None:
                looked_at = self._look_at(ordered)
            if ordered is None or looked_at is None:
                return self.plain(*args, **kwargs)
            signature, places = looked_at
            compiled = self._kept.get(signature)
            if compiled is not None:
                return self._launch(compiled, program, ordered, places)
            with first_launch():
                compiled = self._compile(signature, program, ordered)
                if compiled is None:
                    return self.plain(*ordered)
                return self._launch(compiled, program, ordered, places)

    def _order(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """Put arguments in their order; None if they are not those that there are."""
        names = self._arguments.names
        if len(args) + len(kwargs) != len(names):
            return None
        try:
            return (*args, *[kwargs[name] for name in names[len(args) :]]) if kwargs else args
        except KeyError:
            return None

    def _find_program(self) -> Any:
        """Find the Taichi that runs; None if a launch is to be its own."""
        if self._taichi is None:
            return None
        runtime = self._taichi.runtime
        if (runtime.target_tape or runtime.fwd_mode_manager) and not runtime.grad_replaced:
            return None
        program = runtime.prog
        if program is not None and self._program() is not program:
            self._kept.clear()
            self._program = weakref.ref(program)
        return program

    def _look_at(self, args: tuple[Any, ...]) -> tuple[Signature, list[Place]] | None:
        """Find the signature of a call, and where its arrays are; None if Taichi must launch it."""
        torch = sys.modules.get("torch")
        tensor = () if torch is None else torch.Tensor
        signature: list[Any] = []
        places: list[Place] = []
        for i, element_dims in self._arguments.arrays:
            x = args[i]
            if isinstance(x, tensor) and x.is_contiguous():
                shape, grad = x.shape, 0
                if x.requires_grad:
                    if x.grad is None or not x.grad.is_contiguous():
                        return None  # Taichi makes one, or refuses it
                    grad = x.grad.data_ptr()
                element = shape[-element_dims:] if element_dims else None
                signature.append((x.dtype, len(shape), x.requires_grad, x.is_cpu, element))
                places.append((x.data_ptr(), shape, grad))
            elif isinstance(x, ti.Ndarray):
                signature.append((x.element_type, len(x.shape), x.grad is not None))
                places.append(None)
            else:
                return None
        for i, _, types in self._arguments.numbers:
            if not isinstance(args[i], types):
                return None
        return tuple(signature), places

    def _compile(
        self, signature: Signature, program: Any, args: tuple[Any, ...]
    ) -> _Compiled | None:
        """Compile for arguments like these, and keep it; None if they are not where Taichi runs.

        Taichi holds what it is given until Python's garbage collector runs: not the arrays, which
        may be large, but small ones like them.
        """
        kernel = self._taichi
        on_cpu = impl.current_cfg().arch in (ti.x64, ti.arm64)
        small = list(args)
        for i, element_dims in self._arguments.arrays:
            x = args[i]
            if not isinstance(x, ti.Ndarray) and x.is_cpu != on_cpu:
                return None
            small[i] = _small_like(x, element_dims)
        with short_positions():
            made = kernel.compiled_kernels[kernel.ensure_compiled(*small)]
        if kernel.has_print:
            return None
        config = program.config()
        optimized = config.cfg_optimization
        config.cfg_optimization = optimized and not self._is_quick
        try:
            compiled = program.compile_kernel(config, program.get_device_caps(), made)
        finally:
            config.cfg_optimization = optimized
        self._kept[signature] = _Compiled(
            compiled, made.make_launch_context, self._arguments, on_cpu=on_cpu
        )
        return self._kept[signature]

    def _launch(
        self, compiled: _Compiled, program: Any, args: tuple[Any, ...], places: list[Place]
    ) -> Any:
        """Launch what was kept."""
        context, held, numbers = compiled.context, compiled.places, compiled.numbers
        is_fresh = context is None
        if context is None:
            context = compiled.make_context()
        for k, (i, element_dims) in enumerate(self._arguments.arrays):
            place = places[k]
            if place is None:
                x = args[i]
                if x.grad is None:
                    context.set_arg_ndarray((i,), x.arr)
                else:
                    context.set_arg_ndarray_with_grad((i,), x.arr, x.grad.arr)
            elif is_fresh or place != held[k]:
                address, shape, grad = held[k] = place
                sizes = shape[:-element_dims] if element_dims else shape
                size = args[i].nbytes
                context.set_arg_external_array_with_shape((i,), address, size, sizes, grad)
        for k, (i, setter, _) in enumerate(self._arguments.numbers):
            number = args[i]
            if is_fresh or not number or number != numbers[k]:  # 0 may have another sign
                getattr(context, setter)((i,), number)
                numbers[k] = number
        try:
            program.launch_kernel(compiled.kernel, context)
        except Exception as error:
            raise ti.lang.exception.handle_exception_from_cpp(error) from None
        if self._taichi.return_type is None:
            return None
        program.synchronize()
        (return_type,) = self._taichi.return_type
        return self._taichi.construct_kernel_ret(context, return_type, (0,))


def _small_like(x: Any, element_dims: int) -> Any:
    """Make an array of one element, with a gradient if the given one has one.

    Args:
        x: A tensor or ndarray.
        element_dims: How many of the last dimensions of a tensor are those of an element.
    """
    if isinstance(x, ti.Ndarray):
        dtype = x.dtype
        if len(x.element_shape) == 1:
            dtype = ti.types.vector(*x.element_shape, dtype)
        elif x.element_shape:
            dtype = ti.types.matrix(*x.element_shape, dtype)
        return ti.ndarray(dtype, (1,) * len(x.shape), needs_grad=x.grad is not None)
    num_dims = x.dim() - element_dims
    small = x.new_empty((*(1,) * num_dims, *x.shape[num_dims:]))
    if x.requires_grad:
        small.requires_grad_()
        small.grad = small.new_zeros(small.shape)
    return small


class Kernel(_Launcher):
    """A Taichi kernel of this package, with its gradient.

    Attributes:
        grad: Taichi's derivative of it, called with the same arguments.
        sharers: For each argument what shares its entries, or None.
    """

    def __init__(
        self, function: Callable[..., Any], shared: dict[str, Sharer], *, is_quick: bool
    ) -> None:
        names = tuple(inspect.signature(function).parameters)
        for name in shared.keys() - set(names):
            raise TypeError(f"{function.__name__} has no argument {name!r}")
        taichi = ti.kernel(function)
        arguments = _read_arguments(function) if _has_private_calls(taichi) else None
        super().__init__(taichi, getattr(taichi, "_primal", None), arguments, is_quick=is_quick)
        self.grad = _Launcher(taichi.grad, getattr(taichi, "_adjoint", None), arguments)
        self.sharers = tuple(shared.get(name) for name in names)
        self.__name__, self.__doc__ = function.__name__, function.__doc__


def func(function: Callable[..., Any]) -> Any:
    """Make a function for kernels, as ``ti.func`` does, but when the first kernel calls it.

    The package has hundreds of them, of which a program compiles a few: to look at all of their
    arguments was a tenth of the package's import.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not hasattr(call, _FUNCTION):
            setattr(call, _FUNCTION, getattr(ti.func(function), _FUNCTION))
        return getattr(call, _FUNCTION)(*args, **kwargs)

    # What is looked at in a function that a kernel calls. Quadrants would refuse to call its own
    # with arguments after a starred one, but calls this as it is.
    setattr(call, f"_is_{BACKEND}_function", True)
    call._is_real_function = False  # type: ignore[attr-defined]
    return call


def kernel(
    function: Callable[..., Any] | None = None, *, quick: bool = False, **shared: Sharer
) -> Any:
    """Make a kernel of a function, as ``ti.kernel`` does.

    Args:
        function: What ``ti.kernel`` takes.
        quick: Whether it is compiled without Taichi's optimization of control flow, which LLVM does
            again: for long kernels, of whose time to compile it takes two thirds. They are as fast
            without. Never for what Taichi differentiates: its derivatives then read memory that is
            not theirs.
        shared: For arguments whose gradient Taichi's derivative would have several threads add to:
            ``"item"`` if an argument (B or 1, ...) may serve all items, ``"row"`` if an entry
            serves all rows of an item too. `KernelOperator` then passes copies, which kernels look
            up by `arrays.kernels.broadcast.copy_of` in the latter case.
    """
    if function is None:
        return lambda function: Kernel(function, shared, is_quick=quick)
    return Kernel(function, shared, is_quick=quick)


def _has_private_calls(taichi: Any) -> bool:
    """Tell whether this Taichi has all that a launch of a kernel needs."""
    inner = getattr(taichi, "_primal", None)
    return (
        all(hasattr(owner, name) for owner, names in _PRIVATE_CALLS.items() for name in names)
        and all(hasattr(inner, name) for name in _PRIVATE_FIELDS)
        and hasattr(taichi, "_adjoint")
    )


def _read_arguments(function: Callable[..., Any]) -> _Arguments | None:
    """Read what a kernel takes; None if that is not arrays and numbers alone."""
    parameters = inspect.signature(function).parameters
    arrays, numbers = [], []
    for i, parameter in enumerate(parameters.values()):
        kind = parameter.annotation
        if isinstance(kind, ti.types.ndarray_type.NdarrayType):
            arrays.append((i, getattr(kind.dtype, "ndim", 0)))
        elif kind in _SETTERS:
            numbers.append((i, *_SETTERS[kind]))
        else:
            return None
    return _Arguments(tuple(parameters), tuple(arrays), tuple(numbers))
