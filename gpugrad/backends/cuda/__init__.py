"""Internal. The GPU, through CuPy: kernels, launches, indices."""
