"""Programs that reduce, as steps: what is kept between them, and that every slot is written before it is read."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gpugrad.ops import elementwise as ew
from gpugrad.ops.op import Op
from gpugrad.ops.reduction import largest, smallest, total
from gpugrad.plans.dag import Array, Call, Dag, Input, Node, Scalar
from gpugrad.plans.plan import Plan
from gpugrad.plans.program import Program
from gpugrad.plans.stages import Reduce, steps_of

F = np.dtype(np.float32)


def _softmax() -> Plan:
    calls = [
        Call(largest, (Input(0),), True),
        Call(ew.subtract, (Input(0), Node(0)), True),
        Call(ew.exp, (Node(1),), True),
        Call(total, (Node(2),), True),
        Call(ew.divide, (Node(2), Node(3)), True),
    ]
    return Plan(Dag(tuple(calls), (Array(F, True),), (), (Node(4),)))


def test_softmax_in_steps() -> None:
    made = steps_of(_softmax().forward)
    steps = [s.op.name if isinstance(s, Reduce) else [i.op.name for i in s.program.instructions] for s in made.steps]
    assert steps == ["max", ["subtract", "exp"], "sum", ["divide"]]
    assert [s.row for s in made.slots[2:]] == [True, False, True]  # the maximum, the exponentials, their sum
    assert len(steps_of(_softmax().usual(True).program).steps) <= 12


def _check(program: Program) -> None:
    made = steps_of(program)
    inputs, outputs = len(program.sources), len(program.outputs)
    written, read = set(range(inputs)), set()
    for s in made.steps:
        sources = (s.source,) if isinstance(s, Reduce) else s.inputs
        targets = (s.target,) if isinstance(s, Reduce) else s.outputs
        assert written.issuperset(sources)
        read.update(sources)
        for n in targets:
            assert n >= inputs
            assert n not in written
            assert made.slots[n].row is (isinstance(s, Reduce) or s.row)
            written.add(n)
        if not isinstance(s, Reduce):
            assert s.program.rows == ""
            if s.row:
                assert all(made.slots[n].row for n in sources)
        else:
            assert not made.slots[s.source].row
    assert written.issuperset(range(inputs, inputs + outputs))
    assert read.issuperset(range(inputs + outputs, len(made.slots)))  # nothing is kept that nobody reads


UNARY: list[Op] = [ew.exp, ew.sin, ew.negative, ew.square]
BINARY: list[Op] = [ew.add, ew.multiply, ew.subtract, ew.maximum]
STEPS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=14)


@settings(max_examples=300)
@given(STEPS)
def test_random_regions(program: list[tuple[int, int, int]]) -> None:
    """Forward, backward and tangent programs of regions of every kind."""
    values: list[tuple[Input | Node, bool]] = [(Input(0), False), (Input(1), False)]
    calls: list[Call] = []
    for kind, i, j in program:
        (a, row), (b, other) = values[i % len(values)], values[j % len(values)]
        if kind < 4:
            call, row = Call(UNARY[kind], (a,), True), row
        elif kind < 8:
            call, row = Call(BINARY[kind - 4], (a, b), True), row and other
        elif row:
            call = Call(ew.multiply, (a, Scalar(0)), True)
        else:
            call, row = Call((total, largest, smallest)[kind - 8], (a,), True), True
        values.append((Node(len(calls)), row))
        calls.append(call)
    scalars = sum(isinstance(o, Scalar) for c in calls for o in c.operands)
    numbers = iter(range(scalars))
    calls = [
        c._replace(operands=tuple(Scalar(next(numbers)) if isinstance(o, Scalar) else o for o in c.operands))
        for c in calls
    ]
    plan = Plan(Dag(tuple(calls), (Array(F, True), Array(F, True)), (float,) * scalars, (values[-1][0],)))
    programs = [plan.forward, plan.usual(True).program, plan.tangent(((0, False), (1, True)), True).program]
    for p in programs:
        if p.rows == "mixed":
            _check(p)
    if not any(type(c.op) is not Op for c in calls):
        assert plan.forward.rows == ""


def test_what_a_plan_says_of_rows() -> None:
    assert _softmax().forward.rows == "mixed"
    row = Dag((Call(ew.exp, (Input(0),), True),), (Array(F, True, True),), (), (Node(0),))
    assert Plan(row).forward.rows == "all"
    repeated = Dag((Call(ew.add, (Input(0), Input(1)), True),), (Array(F, True, True), Array(F, True)), (), (Node(0),))
    assert Plan(repeated).forward.rows == ""
    assert Plan(repeated).usual(True).program.rows == "mixed"
