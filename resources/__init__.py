"""Resource types: one file a type, its table and the procedures the standard gives it."""
