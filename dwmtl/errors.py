"""The errors that a user can cause and cure. Every message names the file or key, and the cure.

DwmtlError
├── ParamsError            params.yaml: an unknown key, a wrong type, a value out of range
├── DataSetError           a data set's folder: missing, empty, not in the layout its adapter reads
│   └── UnreadablePhotoError   a photo that cannot be decoded where every photo counts
├── ProtocolError          labels, folds or pairs that cannot be made from the manifests
├── TableError             a table between two stages lacks a column or a row
├── ModelFileError         a file of weights that does not match the network
├── NoFaceError            a photo without a face in a comparison of faces
├── ThresholdError         no threshold for verification, or one of another model
├── RequestError           the demo page or a served model: a request that is too large, malformed or too late
├── TrackingError          MLflow has no such run, or does not answer a command about runs
├── NonFiniteLossError     a loss became NaN or infinite while training
└── InterruptedTrainingError   a training received a signal to stop; its state is saved

A stage or command prints the message alone and exits with 1, as it does with what the system refuses (no rights, a full
disk, a name that cannot be); anything else is our bug and keeps its traceback.
"""

import errno
import os


class DwmtlError(Exception):
    """Base of every error that the input causes; the message is written for the user."""


class ParamsError(DwmtlError):
    """`params.yaml` has an unknown key, a wrong type or a value out of range."""


class DataSetError(DwmtlError):
    """A data set's folder is missing, empty, or not in the layout its adapter reads."""


class UnreadablePhotoError(DataSetError):
    """A photo cannot be decoded although every photo of its set is evaluated."""


class ProtocolError(DwmtlError):
    """Labels, folds or pairs cannot be made from the manifests."""


class TableError(DwmtlError):
    """A table that passes from stage to stage lacks a column or a row."""


class ModelFileError(DwmtlError):
    """A file of weights is missing, damaged, or does not match the network."""


class NoFaceError(DwmtlError):
    """No face was found in a photo that is to be compared with another."""


class ThresholdError(DwmtlError):
    """Verification without a threshold, or with the threshold of another model."""


class RequestError(DwmtlError):
    """A request to the demo page or a served model is too large, malformed or too late.

    Args:
        status: of the demo's HTTP response.
    """

    def __init__(self, message: str, *, status: int = 422):
        super().__init__(message)
        self.status = status


class TrackingError(DwmtlError):
    """MLflow has no such run, or does not answer a command about runs; in a stage this is a warning."""


class NonFiniteLossError(DwmtlError):
    """A task loss became NaN or infinite while training."""


class InterruptedTrainingError(DwmtlError):
    """SIGTERM or SIGINT arrived during a training; its state is saved."""


USERS_ERRORS = (DwmtlError, OSError, UnicodeError)
"""What a user or their system can cause, and cure."""

EXTRAS = {
    "dvc": "pipeline",
    "filelock": "pipeline",
    "jinja2": "pipeline",
    "lightning_fabric": "pipeline",
    "matplotlib": "pipeline",
    "mlflow": "pipeline",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "packaging": "pipeline",
    "psutil": "pipeline",
    "psycopg2": "postgresql",
    "pytorch_metric_learning": "margin",
    "starlette": "demo",
    "tensorflow": "tensorflow",
    "torchjd": "jd",
    "uvicorn": "demo",
}
"""Name of an import -> the extra of the package that installs it."""

_LONGEST = 2000
"""Characters of a line that are shown: a name in a damaged file may be longer than a terminal."""

_CURES = {
    errno.EACCES: "Get the rights to it, or take another place.",
    errno.EPERM: "Get the rights to it, or take another place.",
    errno.EROFS: "Take a place that can be written to.",
    errno.ENOSPC: "Make room on the disk, or take another.",
    errno.EDQUOT: "Make room on the disk, or take another.",
    errno.ENAMETOOLONG: "Shorten the name.",
    errno.ELOOP: "Remove the link that leads back to itself.",
    errno.ENOTDIR: "A file stands where a folder is meant; name another place.",
    errno.EISDIR: "A folder stands where a file is meant; name another place.",
}


def line_of(error: Exception) -> str:
    """One of USERS_ERRORS for its user: what is wrong, where, and the cure where one is known."""
    if isinstance(error, UnicodeError):
        text = getattr(error, "object", b"")
        return f"{text[:200]!r}: it cannot be read or written as {getattr(error, 'encoding', 'text')}. Rename it."
    if not isinstance(error, OSError) or error.errno is None:
        return "\n".join(line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..." for line in str(error).split("\n"))
    places = [os.fsdecode(place) for place in (error.filename, error.filename2) if isinstance(place, str | bytes)]
    where = f"{' -> '.join(places)}: " if places else ""
    return " ".join([f"{where}{error.strerror or os.strerror(error.errno)}.", *filter(None, [_CURES.get(error.errno)])])


def install_line(error: ImportError) -> str | None:
    """For an import that needs an extra: what is missing, and the cure; None for any other, which is our bug."""
    package = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(package)
    return extra and f"{package} is not installed. Run: pip install 'dwmtl[{extra}]'"
