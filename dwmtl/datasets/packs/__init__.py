"""Packs: files that hold a whole data set's pictures, read and written without the framework that they come from."""
