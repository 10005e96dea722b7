"""One elementwise formula for many tensors: written once, on placeholders, and run over all of them in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..backends.devices import Device
from ..base import errors
from ..base.counters import counters
from ..base.shapes import DType
from ..plans.plan import plans
from .closing import LOCK, close
from .ownership import overwritable
from .structure import structure
from .value import Value, held


class AnyShape(tuple[int, ...]):
    """The shape of a placeholder: that of whichever tensor the formula is applied to, so that it cannot be read."""

    __slots__ = ()

    def _refuse(self, *_: Any) -> Any:
        raise errors.placeholder_read()

    __len__ = __getitem__ = __contains__ = __add__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = tuple.__hash__

    def __iter__(self) -> Iterator[int]:
        self._refuse()
        return iter(())

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is AnyShape or self._refuse()
        )  # compared with another shape: something that is not elementwise

    def __ne__(self, other: object) -> bool:
        return not self == other


ANY_SHAPE = AnyShape()


def placeholder(dtype: DType, device: Device) -> Value:
    """A value that stands for many: ops grow expressions of it, and reading it raises PlaceholderError."""
    return Value(None, ANY_SHAPE, dtype, device, False, None, False)


def apply_to_many(
    parameters: Sequence[Value], results: Sequence[Value], many: Sequence[list[Value]], replaced: Sequence[int]
) -> list[list[Value]]:
    """A formula applied to many lists of values: one plan, run over all of them in one call.

    parameters: placeholders, one per value of each list of `many`. results: pending values made of them. replaced: for each
    result, which value of a list it is to take the place of. That happens in memory where nobody else can see the old
    value: the value returned is then the old one, with new content. Nothing requires grad.
    """
    with LOCK:
        found = structure(list(results), close)
        plan = plans.get(found)
        device = parameters[0].device
        backend = device.backend
        places = {id(v): n for n, v in enumerate(parameters)}
        read = [found.inputs[n] for n in plan.reads]
        order = [places.get(id(v)) for v in read]
        in_place = backend.may_overwrite(plan.forward)
        wanted = list(zip([r.dtype for r in results], replaced, strict=True))
        answers: list[list[Value]] = []
        work = []
        for values in many:
            if any(v.array is None for v in values):
                list(map(close, values))
            shape = values[0].shape
            free = overwritable(values) if in_place else ()
            new = []
            for dtype, k in wanted:
                if k < len(free) and free[k] and values[k].dtype == dtype and values[k].shape == shape:
                    new.append(values[k])
                else:
                    new.append(held(backend.empty(shape, dtype), device, True))
            arrays = [values[n].array if n is not None else v.array for n, v in zip(order, read, strict=True)]
            answers.append(new)
            work.append((shape, arrays, [v.array for v in new]))
        backend.run_many(plan.forward, found.scalars, work)
        counters.forward += 1
    return answers
