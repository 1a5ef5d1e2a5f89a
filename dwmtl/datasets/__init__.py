"""Data sets as they lie on disk: one file a family, its layout read into a manifest."""
