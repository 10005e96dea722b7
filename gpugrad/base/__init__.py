"""Internal. Errors, settings, shapes and modes: what knows no op and no array."""
