"""The data card of a set: what is in it, what became of it, what to be careful about, and a sheet of its faces."""
