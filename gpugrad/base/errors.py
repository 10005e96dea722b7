"""The types of the errors that gpugrad raises on purpose, and the messages that are raised in more than one place.

Every message names what was given, what was expected, and what to do about it. The types are subclasses of the built-in ones that a
NumPy user already catches. A function builds one error; a message that is used once stands where it is raised.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


class GpugradError(Exception):
    """Base class of every error that gpugrad raises on purpose."""


class ShapeError(GpugradError, ValueError):
    """Arrays whose shapes do not fit together, or do not fit the operation."""


class AxisError(ShapeError, IndexError):
    """An axis that is not there: both a ValueError and an IndexError, as NumPy's is."""


class InputError(GpugradError, ValueError):
    """An argument whose value the operation does not take."""


class DTypeError(GpugradError, TypeError):
    """An operand of a type or dtype that the operation does not take."""


class DeviceError(GpugradError, RuntimeError):
    """Tensors on different devices, or a device that is not there."""


class GraphError(GpugradError, RuntimeError):
    """A computational graph asked for something it cannot give: freed, detached, or too late."""


class WriteError(GpugradError, RuntimeError):
    """A write that would have been lost, or would have made a gradient wrong."""


class PlaceholderError(GpugradError, RuntimeError):
    """Something of one tensor was asked of a placeholder that stands for many."""


class ConvergenceError(GpugradError, ArithmeticError):
    """An iteration that was to find something has not found it."""


class InternalError(GpugradError, RuntimeError):
    """A bug in gpugrad: a region that cannot be built or run. The message carries its source."""

    brief = ""  # the message without the source, where there is a short form


Shape = tuple[int, ...]


def no_broadcast(op: str, shapes: Sequence[Shape]) -> ShapeError:
    given = " and ".join(str(s) for s in shapes)
    return ShapeError(
        f"{op}: the shapes {given} do not broadcast together. Aligned from the right, each pair of axes must be "
        f"equal or 1; reshape one operand, or insert an axis with x[:, None]."
    )


def no_loop(op: str, types: Sequence[object], reason: str = "") -> DTypeError:
    given = ", ".join(getattr(t, "__name__", str(t)) for t in types)
    tail = f" ({reason})" if reason else ""
    return DTypeError(f"{op} does not take operands of type ({given}){tail}. Convert with x.astype(...) first.")


def not_an_operand(value: object) -> DTypeError:
    return DTypeError(
        f"cannot make a tensor of {type(value).__name__!r}: expected a number, a (nested) list of numbers, a NumPy "
        f"array of booleans, integers or real floating-point numbers, or a Tensor."
    )


def complex_operand(dtype: object) -> DTypeError:
    return DTypeError(
        f"complex numbers ({dtype}) are not supported by this version: use two real tensors, one for the real and "
        f"one for the imaginary part."
    )


def integers_to_negative_powers() -> InputError:
    return InputError(
        "integers to negative integer powers are not allowed, as in NumPy: write x.astype(float) ** n, or 1 / x**-n."
    )


def mixed_devices(op: str, a: object, b: object) -> DeviceError:
    return DeviceError(
        f"{op}: operands are on different devices, {str(a)!r} and {str(b)!r}. Move one of them first: x.to({str(b)!r})."
    )


def unknown_device(name: object) -> DeviceError:
    return DeviceError(
        f"unknown device {name!r}: expected 'cpu', 'cuda' or 'cuda:N' (or 'cpu:N', a pretend device for tests)."
    )


def no_cuda(name: str, why: str) -> DeviceError:
    return DeviceError(f"device {name!r} is not available: {why}")


def bad_shape(op: str, message: str) -> ShapeError:
    return ShapeError(f"{op}: {message}")


def bad_value(op: str, message: str) -> InputError:
    return InputError(f"{op}: {message}")


def bad_type(op: str, message: str) -> DTypeError:
    return DTypeError(f"{op}: {message}")


def not_parameters(given: object) -> DTypeError:
    return DTypeError(
        f"an optimizer takes an iterable of tensors, model.parameters() for example; it was given {given}."
    )


def empty_reduction(op: str) -> ShapeError:
    return ShapeError(
        f"{op} of zero elements has no value: there is nothing to choose from. Check that the axis is not empty."
    )


def grad_needs_float(dtype: object) -> DTypeError:
    return DTypeError(
        f"requires_grad=True needs a floating-point tensor, and this one is {dtype}: gradients of integers and "
        f"booleans do not exist. Convert first: x.astype(float)."
    )


def bad_expression(text: str, place: int, message: str) -> InputError:
    start = max(0, min(place - 40, len(text) - 80))  # a window of a long one
    window = "".join(
        c if c.isprintable() else "?" for c in text[start : start + 80]
    )  # as wide as it was: the caret is below
    shown = f"{'...' if start else ''}{window}{'...' if len(text) > start + 80 else ''}"
    return InputError(f"{message}\n    {shown}\n    {' ' * (place - start + (3 if start else 0))}^")


def input_without_grad(index: int) -> GraphError:
    return GraphError(f"inputs[{index}] does not require grad, so it has no gradient. Make it with requires_grad=True.")


def hook_without_grad(what: str) -> GraphError:
    return GraphError(f"{what}: this tensor does not require grad, so no gradient will ever reach it.")


def hook_changed(what: str, given: object, expected: object) -> GraphError:
    return GraphError(
        f"a gradient hook returned {what} {given}, expected {expected}. Return a gradient like the one it was given, or None."
    )


def leaf_write() -> WriteError:
    return WriteError(
        "writing to a leaf that requires grad: its gradient would belong to a value that is gone. Write inside "
        "`with gg.no_grad():` (an update), or write to a copy, y = x.copy() (a computation)."
    )


def view_write(kind: str) -> WriteError:
    return WriteError(
        f"writing to a tensor that came from {kind} of another one, which is still there: in NumPy this would change the "
        f"other tensor, here a slice is a value and the write would be lost. Write to the original, x[i] = v or "
        f"x[i, j] = v, or to a copy, x[i].copy()."
    )


def stale_gradient() -> WriteError:
    return WriteError(
        "writing to a gradient that has changed since it was read: the write would be lost. Read it again, "
        "x.grad += v, or copy it when you read it, g = x.grad.copy()."
    )


def write_cast(op: str, given: object, expected: object) -> DTypeError:
    return DTypeError(
        f"{op}: cannot write {given} into a tensor of {expected} (NumPy's 'same_kind' rule). Convert first: "
        f"v.astype({str(expected)!r})."
    )


def write_shape(op: str, given: Shape, expected: Shape) -> ShapeError:
    return ShapeError(f"{op}: a value of shape {given} cannot be written to a tensor (or part) of shape {expected}.")


def no_text(op: str, device: object) -> DeviceError:
    return DeviceError(
        f"{op} runs on the CPU alone, since it has no C text, and an operand is on {device}. Move that to the CPU for it, "
        f"x.cpu(), and the result back, y.to({str(device)!r}): the gradient follows."
    )


def no_derivative(function: str, operand: str) -> GraphError:
    return GraphError(
        f"{function}: its derivative in {operand!r} is not known to gpugrad, and {operand!r} requires grad. Give it one of your own with "
        f"gg.custom_jvp, or pass {operand}.detach() if it is meant to be a constant."
    )


# The modules of SciPy whose functions gpugrad.scipy has, for tensors.
_SCIPY = ("special", "linalg", "stats", "signal", "ndimage", "integrate", "interpolate", "spatial")


def gradient_lost(what: str, exit: str, library: tuple[str, str] | None = None) -> GraphError:
    keep = (
        "stay with tensors: np.sin or gg.sin instead of math.sin; gg.array([...]), which nests, instead of np.array([...]); gg.asarray(t) instead "
        "of np.asarray(t); out = gg.zeros(n) and out[i] = t, instead of filling a NumPy array"
    )
    if library is not None:
        module, function = library
        named = f"{module}.{function}" if function != "a function" else f"{function} of {module}"
        what = f"{named} makes a NumPy array of what it is given; that"
        if module.startswith("pandas"):
            what = f"{function} of pandas makes a NumPy array of what it is given; that"
            keep = "compute with the arrays of the frame: df.to_numpy() @ w, np.exp(w) * series.to_numpy()"
        elif module.startswith("scipy.") and module.split(".")[1] in _SCIPY:
            keep = f"take the function from gpugrad.{module} (if it is there), which computes with tensors"
        elif module == "scipy":
            keep = "take the function from gpugrad.scipy (if it is there), which computes with tensors"
        elif module.startswith("scipy"):
            keep = "give it a function of arrays, with its derivative from gg.grad or gg.jacobian"
    return GraphError(
        f"{what} of a tensor that requires grad would lose its gradient. To keep it, {keep}. Where only the number is wanted, say so: {exit}."
    )


def function_refused(name: str, known: bool) -> DTypeError:
    instead = (
        "call it without that argument" if known else "compute it from functions that gpugrad has (dir(gg) lists them)"
    )
    return DTypeError(
        f"{name} has no gradient in gpugrad, and a tensor that it was given requires grad or is on a GPU: {instead}; or convert with "
        f"t.detach().numpy() (t.detach().cpu().numpy() from a GPU) where no gradient is needed."
    )


def stale_view(kind: str, made: tuple[str, int], written: tuple[str, int]) -> WriteError:
    return WriteError(
        f"this tensor is {kind} of another one, made at {made[0]}:{made[1]}, and that one was written to at {written[0]}:{written[1]}: in "
        f"NumPy it would now show the new elements, here it has the old ones. Take it again after the write, or keep the old elements "
        f"with .copy() where it is made."
    )


def not_finite(op: str, where: str, what: str) -> FloatingPointError:
    return FloatingPointError(
        f"{op} produced {what} (called at {where}). Look at its inputs there; gg.config.debug = 0 turns this check off."
    )


def zero_d(what: str) -> DTypeError:
    return DTypeError(f"{what} of a 0-d tensor: it has no axes.")


def bad_config(name: str, value: object, expected: str) -> InputError:
    return InputError(f"config.{name} = {value!r}: expected {expected}.")


def deepcopy_non_leaf() -> GraphError:
    return GraphError(
        "only leaves can be copied with copy.deepcopy or pickle: this tensor was computed and carries a graph. "
        "Use t.detach() (or t.copy() inside the graph)."
    )


def no_native(why: str) -> DeviceError:
    return DeviceError(
        f"plans cannot be compiled: {why}. GPUGRAD_CPU=native asks for it: install a C++ compiler or name one in CXX, or "
        f"use GPUGRAD_CPU=auto or numpy."
    )


def compiler_broken(command: str, message: str) -> DeviceError:
    return DeviceError(
        f"the C++ compiler {command!r} does not work: {message or 'it ended without a message'}. Name another one in "
        f"CXX, or use GPUGRAD_CPU=numpy."
    )


def compile_failed(command: str, message: str, text: str) -> InternalError:
    given = ", ".join(f"{k}={os.environ[k]!r}" for k in ("CXX", "GPUGRAD_CXXFLAGS") if os.environ.get(k))
    blame = f"{given} may be the cause; otherwise this" if given else "This"
    error = InternalError(
        f"a plan could not be compiled. {blame} is a bug in gpugrad, or the compiler is broken: please report it with the "
        f"text below. GPUGRAD_CPU=numpy runs without a compiler.\n{text}\n$ {command}\n{message.strip()}"
    )
    error.brief = (
        f"a plan could not be compiled. {blame} is a bug in gpugrad, or the compiler is broken: please report it with the text that "
        f"GPUGRAD_CPU=native shows. The compiler says: {message.strip()[:1000] or 'nothing'}"
    )
    return error


def no_storage(what: str, cause: str) -> DeviceError:
    return DeviceError(
        f"{what}: {cause}. Compiled kernels need a place on disk: make room, name a folder on another disk in GPUGRAD_CACHE_DIR (and "
        f"in TMPDIR, which the compiler uses), lift a limit on the size of files (ulimit -f), or use GPUGRAD_CPU=numpy."
    )


def out_of_device_memory(size: int, free: int, total: int, used: int, device: str) -> MemoryError:
    return MemoryError(
        f"no memory on {device} for a buffer of {size:,} bytes: {free:,} of {total:,} bytes are free, and CuPy's arrays use "
        f"{used:,}. Let go of tensors, use smaller ones, or call cupy.get_default_memory_pool().free_all_blocks()."
    )


def bad_array(value: object, expected: object) -> InternalError:
    return InternalError(
        f"a compiled plan was given {value}, expected {expected}. This is a bug in gpugrad; please report it."
    )


def missing_extra(what: str, package: str, extra: str) -> ImportError:
    return ImportError(f"{what} needs the package {package!r}, which is not installed: pip install 'gpugrad[{extra}]'.")


def placeholder_read() -> PlaceholderError:
    return PlaceholderError(
        "a placeholder for many tensors has no shape and no elements: only elementwise ops can be applied to it."
    )
