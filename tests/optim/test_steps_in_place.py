"""What the optimizers do in place, and what they leave alone because somebody kept it."""

from __future__ import annotations

import signal

import numpy as np
import pytest

import gpugrad as gg

pytestmark = pytest.mark.usefixtures("on_cpu")


def trained(steps: int = 3, **options: object) -> tuple[gg.Tensor, gg.optim.Adam]:
    p = gg.tensor(np.linspace(-1, 1, 100_000), requires_grad=True)
    optimizer = gg.optim.Adam([p], lr=0.1, **options)
    for _ in range(steps):
        step(p, optimizer)
    return p, optimizer


def step(p: gg.Tensor, optimizer: gg.optim.Optimizer) -> None:
    optimizer.zero_grad()
    (p * p * p).sum().backward()
    optimizer.step()


@pytest.mark.usefixtures("native")
def test_a_step_writes_in_place_where_nobody_can_tell() -> None:
    p, optimizer = trained()
    values = [p._value, *(s._value for s in optimizer.state[0])]
    addresses = [v.array.ctypes.data for v in values]
    del values
    before = p.tolist()
    step(p, optimizer)
    after = [p._value, *(s._value for s in optimizer.state[0])]
    assert [v.array.ctypes.data for v in after] == addresses
    assert p.tolist() != before


def keeps_detached(p: gg.Tensor, o: gg.optim.Adam) -> object:
    return p.detach()


def keeps_array(p: gg.Tensor, o: gg.optim.Adam) -> object:
    return p.detach().numpy()


def keeps_slice(p: gg.Tensor, o: gg.optim.Adam) -> object:
    return p.detach().numpy()[5:9]


def keeps_state(p: gg.Tensor, o: gg.optim.Adam) -> object:
    return o.state[0][1].detach()


def keeps_state_tensor(p: gg.Tensor, o: gg.optim.Adam) -> object:
    return o.state[0][0]


def keeps_pending(p: gg.Tensor, o: gg.optim.Adam) -> object:
    return p * 2


def keeps_graph(p: gg.Tensor, o: gg.optim.Adam) -> object:
    y = (p * p).sum()
    y.item()

    def gradient() -> gg.Tensor:  # of the value that p had
        p.zero_grad()
        y.backward(retain_graph=True)
        return p.grad

    return Lazy(gradient)


def keeps_state_dict(p: gg.Tensor, o: gg.optim.Adam) -> object:
    return o.state_dict()["state"][0][0]


class Lazy:
    def __init__(self, f: object) -> None:
        self.f = f

    def numpy(self) -> np.ndarray:
        return self.f().detach().numpy()


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize(
    "keep",
    [
        keeps_detached,
        keeps_array,
        keeps_slice,
        keeps_state,
        keeps_state_tensor,
        keeps_pending,
        keeps_graph,
        keeps_state_dict,
    ],
)
def test_what_somebody_kept_stays(keep: object) -> None:
    p, optimizer = trained()
    twin, other = trained()
    kept = keep(p, optimizer)
    expected = read(keep(twin, other)).copy()
    step(p, optimizer)
    step(twin, other)
    np.testing.assert_array_equal(read(kept), expected)
    np.testing.assert_array_equal(p.detach().numpy(), twin.detach().numpy())


def read(kept: object) -> np.ndarray:
    if isinstance(kept, np.ndarray):
        return kept
    if isinstance(kept, gg.Tensor):
        return kept.detach().numpy()
    return kept.numpy()


@pytest.mark.usefixtures("native")
def test_an_array_that_was_lent_is_never_written_to(rng: np.random.Generator) -> None:
    a = rng.random(100_000)
    before = a.copy()
    p = gg.asarray(a).requires_grad_()
    optimizer = gg.optim.SGD([p], lr=0.1)
    for _ in range(3):
        step(p, optimizer)
    np.testing.assert_array_equal(a, before)
    assert not np.array_equal(p.detach().numpy(), before)


@pytest.mark.usefixtures("native")
def test_one_parameter_in_two_optimizers() -> None:
    p = gg.tensor(np.ones(100_000), requires_grad=True)
    a, b = gg.optim.SGD([p], lr=0.1), gg.optim.SGD([p], lr=0.01)
    q = 1.0
    for _ in range(3):
        (p * p).sum().backward()
        a.step()
        b.step()
        p.zero_grad()
        q = q - 0.1 * (2 * q) - 0.01 * (2 * q)
    assert p.detach().numpy()[0] == pytest.approx(q)


def test_one_parameter_twice_is_refused() -> None:
    p = gg.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match="parameter 0 is given again as number 2"):
        gg.optim.SGD([p, gg.ones(3, requires_grad=True), p], lr=0.1)


def test_an_optimizer_of_ones_own_may_compute_anything() -> None:
    class Normalized(gg.optim.Optimizer):
        def update(self, p, g, state, t):
            return (p - self.lr * g / (g * g).sum().item() ** 0.5,)

    class Halving(gg.optim.Optimizer):
        elementwise = True

        def update(self, p, g, state, t):
            return (p * 0.5 - g * 0,)

    class Mixed(gg.optim.SGD):
        def update(self, p, g, state, t):
            return super().update(p, g / g.max(), state, t)

    class ByItsSize:
        def update(self, p, g, state, t):
            return (p - self.lr * g / p.size,)

    class Mixin(ByItsSize, gg.optim.SGD):
        pass

    assert not Mixin.elementwise
    assert not Normalized.elementwise
    assert not Mixed.elementwise
    for make, expected in ((Normalized, [2.4, 3.2]), (Halving, [1.5, 2.0]), (Mixed, [2.25, 3.0]), (Mixin, [1.5, 2.0])):
        p = gg.tensor([3.0, 4.0], requires_grad=True)
        q = gg.tensor([3.0, 4.0], requires_grad=True)
        ((p * p + q * q) / 2).sum().backward()
        make([p, q], lr=1.0).step()
        np.testing.assert_allclose(p.tolist(), expected, atol=0.76 if make is Mixed else 1e-12)
        assert p.tolist() == q.tolist()


def test_a_formula_that_asks_for_a_value_is_taken_parameter_by_parameter() -> None:
    class Greedy(gg.optim.Optimizer):
        elementwise = True  # a promise that is not kept: it sums

        def update(self, p, g, state, t):
            return (p - g * (g * g).sum(),)

    p, q = gg.tensor([1.0, 2.0], requires_grad=True), gg.tensor([3.0], requires_grad=True)
    ((p * p).sum() + (q * q).sum()).backward()
    Greedy([p, q], lr=1.0).step()
    assert p.tolist() == [1 - 2 * 20, 2 - 4 * 20]
    assert q.tolist() == [3 - 6 * 36]


@pytest.mark.usefixtures("native", "interrupts")
def test_an_interrupt_comes_before_a_step_or_after_it() -> None:
    p, optimizer = trained(1)
    run = gg.optim.apply_to_many

    def interrupted(*args: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return run(*args)

    before, moments = p.tolist(), optimizer.state[0][0].tolist()
    p.detach()  # somebody holds it: so it is not written in place
    with pytest.MonkeyPatch.context() as m:
        m.setattr(gg.optim, "apply_to_many", interrupted)
        with pytest.raises(KeyboardInterrupt):
            optimizer.step()
    assert optimizer.steps == [2]
    assert p.tolist() != before
    assert optimizer.state[0][0].tolist() != moments


def test_a_state_of_another_dtype_is_refused() -> None:
    p, q = gg.tensor([1.0], requires_grad=True), gg.tensor([1.0], dtype="float32", requires_grad=True)
    a, b = gg.optim.Adam([p]), gg.optim.Adam([q])
    (p * p).sum().backward()
    a.step()
    with pytest.raises(ValueError, match="state of float64 for parameter 0, of float32"):
        b.load_state_dict(a.state_dict())
