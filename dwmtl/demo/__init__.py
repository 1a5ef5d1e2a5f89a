"""A local page for trying a model: served on 127.0.0.1 only, and without requests to other hosts."""
