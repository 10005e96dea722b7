"""Structural ops as they are called: one list, for values, gradients and explanations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.special

R = np.random.default_rng(3)


def a(*shape: int) -> np.ndarray:
    return R.uniform(0.5, 2.0, shape)


def distinct(*shape: int) -> np.ndarray:
    return R.permutation(np.arange(1.0, 1 + np.prod(shape, dtype=int))).reshape(shape) / 3


INDEX = np.array([[0, 2], [1, 0]])
# name, ours, NumPy's (the same function of np where None), arguments
CASES: list[tuple[str, Callable, Callable | None, list[np.ndarray]]] = [
    ("sum", lambda m, x: m.sum(x), None, [a(3, 4)]),
    ("sum axis", lambda m, x: m.sum(x, axis=1), None, [a(3, 4)]),
    ("sum axes keepdims", lambda m, x: m.sum(x, axis=(0, 2), keepdims=True), None, [a(2, 3, 4)]),
    ("sum negative axis", lambda m, x: m.sum(x, axis=-2), None, [a(2, 3, 4)]),
    ("sum nothing", lambda m, x: m.sum(x, axis=0), None, [a(0, 3)]),
    ("sum 0-d", lambda m, x: m.sum(x), None, [a()]),
    ("mean", lambda m, x: m.mean(x, axis=0), None, [a(3, 4)]),
    ("var", lambda m, x: m.var(x, axis=1, ddof=1), None, [a(3, 4)]),
    ("std", lambda m, x: m.std(x, axis=(0, 1)), None, [a(3, 4)]),
    ("prod", lambda m, x: m.prod(x, axis=1), None, [a(3, 5)]),
    ("prod all", lambda m, x: m.prod(x, keepdims=True), None, [a(2, 3)]),
    ("max", lambda m, x: m.max(x, axis=1), None, [distinct(3, 4)]),
    ("min", lambda m, x: m.min(x, axis=(0, 1), keepdims=True), None, [distinct(3, 4)]),
    ("cumsum", lambda m, x: m.cumsum(x, axis=1), None, [a(3, 4)]),
    ("cumsum flat", lambda m, x: m.cumsum(x), None, [a(3, 4)]),
    ("sort", lambda m, x: m.sort(x, axis=0), None, [distinct(4, 3)]),
    ("sort flat", lambda m, x: m.sort(x, axis=None), None, [distinct(4, 3)]),
    ("logsumexp", lambda m, x: m.logsumexp(x, axis=1), lambda x: scipy.special.logsumexp(x, axis=1), [a(3, 4)]),
    ("softmax", lambda m, x: m.softmax(x, axis=0), lambda x: scipy.special.softmax(x, axis=0), [a(3, 4)]),
    ("log_softmax", lambda m, x: m.log_softmax(x), lambda x: scipy.special.log_softmax(x, axis=-1), [a(3, 4)]),
    ("matmul", lambda m, x, y: m.matmul(x, y), None, [a(3, 4), a(4, 2)]),
    ("matmul vectors", lambda m, x, y: m.matmul(x, y), None, [a(4), a(4)]),
    ("matmul row", lambda m, x, y: m.matmul(x, y), None, [a(4), a(4, 2)]),
    ("matmul column", lambda m, x, y: m.matmul(x, y), None, [a(3, 4), a(4)]),
    ("matmul batch", lambda m, x, y: m.matmul(x, y), None, [a(5, 3, 4), a(5, 4, 2)]),
    ("matmul batch broadcast", lambda m, x, y: m.matmul(x, y), None, [a(2, 1, 3, 4), a(5, 4, 2)]),
    ("matmul batch vector", lambda m, x, y: m.matmul(x, y), None, [a(5, 3, 4), a(4)]),
    ("matmul vector batch", lambda m, x, y: m.matmul(x, y), None, [a(3), a(5, 3, 4)]),
    ("matmul nothing", lambda m, x, y: m.matmul(x, y), None, [a(3, 0), a(0, 2)]),
    ("dot", lambda m, x, y: m.dot(x, y), None, [a(2, 3, 4), a(5, 4, 2)]),
    ("dot scalar", lambda m, x, y: m.dot(x, y), None, [a(), a(3)]),
    ("tensordot", lambda m, x, y: m.tensordot(x, y, axes=([0, 1], [1, 0])), None, [a(3, 4, 2), a(4, 3, 5)]),
    ("einsum", lambda m, x, y: m.einsum("ij,jk->ki", x, y), None, [a(3, 4), a(4, 2)]),
    ("einsum implicit", lambda m, x, y: m.einsum("ij,jk", x, y), None, [a(3, 4), a(4, 2)]),
    ("einsum trace", lambda m, x: m.einsum("ii", x), None, [a(3, 3)]),
    ("einsum diagonal", lambda m, x: m.einsum("ii->i", x), None, [a(3, 3)]),
    ("einsum sum", lambda m, x: m.einsum("ijk->j", x), None, [a(2, 3, 4)]),
    ("einsum dots", lambda m, x, y: m.einsum("...ij,...jk->...ik", x, y), None, [a(2, 3, 4), a(4, 2)]),
    ("einsum three", lambda m, x, y, z: m.einsum("i,ij,j", x, y, z), None, [a(3), a(3, 4), a(4)]),
    ("reshape", lambda m, x: m.reshape(x, (4, -1)), None, [a(3, 4)]),
    ("ravel", lambda m, x: m.ravel(x), None, [a(3, 4)]),
    ("transpose", lambda m, x: m.transpose(x, (2, 0, 1)), None, [a(2, 3, 4)]),
    ("transpose all", lambda m, x: m.transpose(x), None, [a(2, 3, 4)]),
    ("swapaxes", lambda m, x: m.swapaxes(x, 0, -1), None, [a(2, 3, 4)]),
    ("moveaxis", lambda m, x: m.moveaxis(x, (0, 1), (-1, 0)), None, [a(2, 3, 4)]),
    ("expand_dims", lambda m, x: m.expand_dims(x, (0, -1)), None, [a(2, 3)]),
    ("squeeze", lambda m, x: m.squeeze(x), None, [a(1, 3, 1)]),
    ("broadcast_to", lambda m, x: m.broadcast_to(x, (2, 3, 4)), None, [a(3, 1)]),
    ("concatenate", lambda m, x, y: m.concatenate([x, y, x], axis=1), None, [a(2, 3), a(2, 1)]),
    ("concatenate flat", lambda m, x, y: m.concatenate([x, y], axis=None), None, [a(2, 3), a(4)]),
    ("stack", lambda m, x, y: m.stack([x, y], axis=-1), None, [a(2, 3), a(2, 3)]),
    ("split", lambda m, x: m.split(x, [1, 3], axis=1)[1], None, [a(2, 4)]),
    ("split equal", lambda m, x: m.split(x, 2)[0], None, [a(4, 2)]),
    ("index basic", lambda m, x: x[1, ..., ::2], None, [a(2, 3, 4)]),
    ("index negative step", lambda m, x: x[::-1, None, 1:], None, [a(3, 4)]),
    ("index integers", lambda m, x: x[INDEX], None, [a(3, 4)]),
    ("index mixed", lambda m, x: x[INDEX, 1:], None, [a(3, 4)]),
    ("index two arrays", lambda m, x: x[INDEX, INDEX.T], None, [a(3, 4)]),
    ("index boolean", lambda m, x: x[np.array([True, False, True])], None, [a(3, 4)]),
    ("index boolean full", lambda m, x: x[np.arange(12).reshape(3, 4) % 3 == 0], None, [a(3, 4)]),
    ("index split arrays", lambda m, x: x[[0, 1], :, [1, 1]], None, [a(2, 3, 4)]),
    ("take", lambda m, x: m.take(x, INDEX, axis=1), None, [a(3, 4)]),
    ("take flat", lambda m, x: m.take(x, INDEX), None, [a(3, 4)]),
    ("take_along_axis", lambda m, x: m.take_along_axis(x, np.array([[0, 0], [1, 2], [3, 3]]), 1), None, [a(3, 4)]),
    ("pad", lambda m, x: m.pad(x, ((1, 2), (0, 1))), None, [a(2, 3)]),
    ("pad value", lambda m, x: m.pad(x, 1, constant_values=7), None, [a(3)]),
    *[(f"pad {mode}", lambda m, x, mode=mode: m.pad(x, (2, 1), mode=mode), None, [a(4)])
      for mode in ("edge", "reflect", "symmetric", "wrap")],
    ("flip", lambda m, x: m.flip(x, 1), None, [a(2, 3)]),
    ("flip all", lambda m, x: m.flip(x), None, [a(2, 3)]),
    ("roll", lambda m, x: m.roll(x, -1, axis=1), None, [a(2, 3)]),
    ("roll flat", lambda m, x: m.roll(x, 2), None, [a(2, 3)]),
    ("roll axes", lambda m, x: m.roll(x, (1, 2), axis=(0, 1)), None, [a(2, 3)]),
    ("tile", lambda m, x: m.tile(x, (2, 1, 3)), None, [a(2, 3)]),
    ("repeat", lambda m, x: m.repeat(x, [1, 0, 2], axis=1), None, [a(2, 3)]),
    ("repeat flat", lambda m, x: m.repeat(x, 2), None, [a(2, 3)]),
    ("clip", lambda m, x: m.clip(x, 0.9, 1.4), None, [a(7)]),
    ("clip below", lambda m, x: m.clip(x, 0.9, None), None, [a(7)]),
    ("where", lambda m, x, y: m.where(x > y, x, y), None, [a(3, 4), a(4)]),
    ("round", lambda m, x: m.round(x, 1), None, [a(7)]),
]  # fmt: skip
