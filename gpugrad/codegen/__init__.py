"""Internal. Programs as text: C++ and CUDA."""
