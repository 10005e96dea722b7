"""SciPy's names over tensors: ``from gpugrad.scipy import special, stats``. Code written for `autograd.scipy` moves by changing its imports.

`scipy.special`'s elementwise functions take tensors as they are. The other functions of SciPy make NumPy arrays of what they are given, which
would lose a gradient, and so raise; those that are here compute the same with tensors.
"""
