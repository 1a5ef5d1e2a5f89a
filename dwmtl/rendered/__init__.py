"""The embedded data set of drawn faces. Only the stage `render` imports it.

Lengths are in face units: the origin between eyes and nose, 1 from there to the chin, x to the right and y down.
"""
