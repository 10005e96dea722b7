"""Internal. The CPU: NumPy or compiled plans, threads, memory."""
