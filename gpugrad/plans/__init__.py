"""Internal. Regions as symbols, differentiated, and as straight-line programs; the cache of both."""
