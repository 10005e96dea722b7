"""Internal. Values, growing and closing regions, the tape, and the passes over it."""
