"""Functions of functions, with JAX's names."""
