"""Types of the package's own names, since `load_model` is imported when it is asked for."""

from dwmtl.inference.model import load_model as load_model

__version__: str
