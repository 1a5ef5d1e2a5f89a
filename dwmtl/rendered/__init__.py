"""The embedded data set of drawn faces. The only owner of cv2; only the stage `render` imports it.

Lengths are in face units: the origin between eyes and nose, 1 from there to the chin, x to the right and y down.
"""
