"""Internal. The two tables: one row, one op, and everything that is said about it."""
