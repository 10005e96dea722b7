"""The intermediate representation: dtypes, operands, the graph that a plan keeps, programs and what is kept with them."""

from __future__ import annotations

import math

import ml_dtypes  # noqa: F401  # NumPy then knows bfloat16 by name
import numpy as np
import pytest

import gpugrad as gg
from gpugrad.base import dtypes
from gpugrad.core.closing import close
from gpugrad.core.structure import structure
from gpugrad.ops import elementwise as ew
from gpugrad.plans.dag import Array, Call, Dag, Input, Node, Scalar
from gpugrad.plans.plan import Plan, PlanCache, plans
from gpugrad.plans.program import Const, Kind, Source, Temp, identity, lower, named, single
from gpugrad.plans.symbols import Graph, symbols

FLOAT32 = np.dtype(np.float32)


@pytest.mark.parametrize("row", dtypes.ROWS, ids=lambda r: r.name)
def test_rows_agree_with_numpy(row: dtypes.Row) -> None:
    dtype = np.dtype(row.name)
    assert dtype.name == row.name
    assert dtype.itemsize == row.size
    assert dtype.kind == row.kind or row.name == "bfloat16"
    assert dtypes.is_compiled(dtype)
    assert dtypes.is_float(dtype) == (row.kind == "f") == (row.cublas is not None)
    assert dtypes.is_16_bit(dtype) == row.is_16_bit
    assert dtypes.computed(dtype) == np.dtype(row.computed)


def test_what_has_no_row_is_not_compiled() -> None:
    assert not dtypes.is_compiled(FLOAT32.newbyteorder())
    assert not dtypes.is_compiled(np.dtype(np.longdouble))
    assert dtypes.is_float(np.dtype(np.longdouble))
    assert not dtypes.is_float(np.dtype(complex))


def test_operands_of_two_kinds_are_never_equal() -> None:
    same_number = [Input(0), Scalar(0), Node(0), Temp(0), Const(0)]
    assert len(set(same_number)) == 5
    constants = [Const(v) for v in (0, 0.0, -0.0, False, 1, 1.0, True, math.nan, math.inf, -math.inf)]
    assert len({*constants, *constants}) == len(constants)
    assert Const(math.nan) == Const(math.nan)


def test_a_program_tells_constants_apart_and_computes_equal_operations_once() -> None:
    graph = Graph()
    x = graph.input(FLOAT32, True)

    def plus(value: float) -> object:
        return graph.node(ew.add, [x, graph.const(value)], True)

    program = lower([plus(0.0), plus(-0.0), plus(0.0)], named([x]), 0)
    assert [str(i.args[1]) for i in program.instructions] == ["0.0", "-0.0"]
    assert program.outputs == (Temp(0), Temp(1), Temp(0))
    part, inputs = program.only([1])
    assert inputs == (0,)
    assert part.outputs == (Temp(0),)
    assert [str(i.args[1]) for i in part.instructions] == ["-0.0"]


def test_a_plan_keeps_the_graph_of_what_was_called() -> None:
    x, y = gg.tensor([1.0, 2.0], requires_grad=True), gg.tensor([3.0, 4.0])
    gg.config.fuse = 64
    t = gg.sin(x * 2.5) * y
    found = structure([t._value], close)
    f64 = np.dtype(float)
    assert found.dag() == Dag(
        calls=(
            Call(ew.multiply, (Input(0), Scalar(0)), True),
            Call(ew.sin, (Node(0),), True),
            Call(ew.multiply, (Node(1), Input(1)), True),
        ),
        inputs=(Array(f64, True), Array(f64, False)),
        scalars=(float,),
        roots=(Node(2),),
    )
    assert plans.get(found).dag == found.dag()
    assert [s.op for s in symbols(found.dag()).nodes] == [ew.multiply, ew.sin, ew.multiply]


def test_the_graph_is_asked_for_once_per_structure() -> None:
    class Asked:
        key = "key"
        times = 0

        def dag(self) -> Dag:
            self.times += 1
            return Dag((Call(ew.sin, (Input(0),), True),), (Array(FLOAT32, True),), (), (Node(0),))

    cache, asked = PlanCache(4), Asked()
    assert cache.get(asked) is cache.get(asked)
    assert asked.times == 1


def test_sources_are_what_the_arrays_are_to_the_region() -> None:
    plan = Plan(Dag((Call(ew.tanh, (Input(0),), True),), (Array(FLOAT32, True),), (), (Node(0),)))
    assert plan.forward.sources == (Source(Kind.INPUT, 0),)
    assert plan.needs((0,), True) == ((), (0,), ())  # 1 - y * y
    assert plan.needs((0,), False) == ((0,), (), ())
    assert identity(FLOAT32).sources == (Source(Kind.UPSTREAM),)


def test_a_choice_between_python_numbers_has_the_dtype_of_the_op_that_asks() -> None:
    for dtype in (np.dtype(np.float16), FLOAT32, np.dtype(np.float64)):
        graph = Graph()
        a, b = graph.input(dtype, True), graph.input(dtype, True)
        partials = graph.partials(graph.node(ew.maximum, [a, b], True), dtype)
        chosen = [s for s in graph.symbols if s.op is ew.where]
        assert chosen
        assert {s.dtype for s in chosen} == {dtype}
        assert len(partials) == 2


def test_what_executors_keep_goes_with_the_program() -> None:
    program = single(ew.add, (FLOAT32, FLOAT32))
    assert program.executables == {}
    gg.get_device("cpu").backend.source(program)
    assert len(program.executables) == 1
    assert single(ew.add, (FLOAT32, FLOAT32)).executables == {}
