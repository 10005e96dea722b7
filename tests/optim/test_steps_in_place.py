"""The pool of host buffers, and what the optimizers do in place."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backends.cpu.pool import MemoryPool, is_whole

N = 1_000_000  # float64: 8 MB, well above what the C library keeps itself

pytestmark = pytest.mark.usefixtures("on_cpu")


@pytest.fixture
def pool() -> MemoryPool:
    return MemoryPool()


def test_a_freed_buffer_is_used_again(pool: MemoryPool) -> None:
    a = pool.empty((N,), np.dtype(float))
    address = a.ctypes.data
    assert address % 64 == 0
    assert pool.used_bytes() >= 8 * N
    assert pool.free_bytes() == 0
    del a
    assert pool.used_bytes() == 0
    b = pool.empty((1000, N // 1000), np.dtype(float))
    assert b.ctypes.data == address
    c = pool.empty((N,), np.dtype(float))
    assert not np.shares_memory(b, c)


def test_a_view_keeps_its_buffer(pool: MemoryPool) -> None:
    a = pool.empty((N,), np.dtype(float))
    view = a[10:20].reshape(2, 5).T
    a[:] = 1
    assert is_whole(a)
    assert not is_whole(view)
    del a
    assert pool.used_bytes() > 0
    b = pool.empty((N,), np.dtype(float))
    b[:] = 2
    assert (view == 1).all()
    del view
    assert pool.free_bytes() > 0


def test_small_buffers_are_left_alone_and_empty_ones_work(pool: MemoryPool) -> None:
    a, b = pool.empty((10,), np.dtype(float)), pool.empty((0, 5), np.dtype(float))
    assert a.base is None
    assert b.shape == (0, 5)
    assert pool.total_bytes() == 0


def test_the_limit_bounds_what_is_kept(pool: MemoryPool) -> None:
    pool.set_limit(20_000_000)
    arrays = [pool.empty((N,), np.dtype(float)) for _ in range(5)]
    assert pool.used_bytes() >= 5 * 8 * N
    del arrays
    assert 0 < pool.free_bytes() <= 20_000_000
    pool.set_limit(0)
    assert pool.free_bytes() == 0
    with pytest.raises(ValueError, match="not a number of bytes"):
        pool.set_limit(-1)
    assert "MemoryPool(used=0.0 MiB" in repr(pool)


def test_sizes_long_unused_make_room(pool: MemoryPool) -> None:
    pool.set_limit(40_000_000)
    many = [pool.empty((N,), np.dtype(float)) for _ in range(5)]
    del many
    pool.empty((2 * N,), np.dtype(float))
    kept = pool.free_bytes()
    assert 16_000_000 < kept <= 40_000_000
    pool.empty((2 * N,), np.dtype(float))  # from the pool, and back
    assert pool.free_bytes() == kept
    pool.set_limit(kept - 1)
    assert 0 < pool.free_bytes() < kept


def test_threads_never_share_a_buffer(pool: MemoryPool) -> None:
    def work(k: int) -> None:
        for _ in range(200):
            a = pool.empty((100_000,), np.dtype(float))
            a[:] = k
            bad.extend([k] * int((a != k).any()))

    bad: list[int] = []
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad
    assert pool.used_bytes() == 0


def test_results_that_are_dropped_come_back_without_a_collection(no_gc: None) -> None:
    gg.memory.free_all_blocks()
    used = gg.memory.used_bytes()
    x = gg.ones(N, requires_grad=True)
    for _ in range(3):
        (gg.sin(x) * x).sum().backward()
        x.zero_grad()
    y = gg.exp(x) + 1
    gg.wait(y)
    del x, y
    assert gg.memory.used_bytes() == used


def test_a_kept_result_is_never_given_to_another(rng: np.random.Generator) -> None:
    x = gg.asarray(rng.random(200_000))
    kept = []
    for k in range(6):
        y = x * float(k) + 1
        kept.append((k, y, y.numpy()))
        del y
    for k, y, view in kept:
        np.testing.assert_array_equal(view, x.numpy() * k + 1)
        np.testing.assert_array_equal(y.numpy(), view)


# ------------------------------------------------------------------------------------------------------ in place


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


@pytest.fixture
def interrupts() -> Iterator[None]:
    """SIGINT as a terminal's program has it: one that a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_waits_for_a_block_that_must_not_be_cut() -> None:
    from gpugrad.base.interrupts import uninterrupted

    done = []

    def block() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
        done.append(2)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == [1]


@pytest.mark.usefixtures("native", "interrupts")
def test_an_interrupt_comes_before_a_step_or_after_it() -> None:
    p, optimizer = trained(1)
    run = gg.core.closing.apply_to_many

    def interrupted(*args: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return run(*args)

    before, moments = p.tolist(), optimizer.state[0][0].tolist()
    p.detach()  # somebody holds it: so it is not written in place
    with pytest.MonkeyPatch.context() as m:
        m.setattr(gg.core.closing, "apply_to_many", interrupted)
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


def test_memory_that_runs_out(pool: MemoryPool) -> None:
    pool.empty((N,), np.dtype(float))  # comes back at once, and is kept
    used = pool.used_bytes()
    with pytest.raises(MemoryError, match=r"no memory for a buffer of \d.* bytes"):
        pool.empty((1 << 50,), np.dtype(float))
    assert pool.used_bytes() == used
    assert pool.free_bytes() == 0  # what was kept was let go first
    with pytest.raises(MemoryError):
        pool.empty((1 << 62,), np.dtype(float))
    assert pool.used_bytes() == used
