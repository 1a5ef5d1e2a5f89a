"""The embedded data set: faces that the project draws itself. The sole owner of cv2.

Lengths are in face units: the origin between eyes and nose, 1 from there to the chin, x to the right and y down.
"""
