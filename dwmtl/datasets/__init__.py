"""Data sets on disk: one adapter per layout, which reads a folder into a manifest. Knows nothing of crops."""
