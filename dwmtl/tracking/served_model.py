"""The script that MLflow runs to serve a model: encoded photos in, the answer of `FaceModel.analyze` for each out.

MLflow copies this file into the model and runs the copy when the model is loaded, so nothing is pickled. The rest of
dwmtl is installed: the model's requirements name its version.
"""

import os
import time

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from dwmtl.crops.photos import decode_photo
from dwmtl.errors import DwmtlError, RequestError, UnreadablePhotoError
from dwmtl.inference.model import FaceModel, load_model

TIME_LIMIT = "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"
"""Set by `mlflow models serve`: seconds after which it answers 504. It does not stop `predict`, which stops itself."""


class ServedModel(PythonModel):
    """Input: column `photo`, a row per photo, the bytes of a JPEG, PNG, ...; base64 in JSON. Requests are not kept.

    Text is never taken for a path or an address.
    """

    _model: FaceModel

    def load_context(self, context) -> None:
        """Load the model from its artifacts, on a GPU if there is one."""
        self._model = load_model(context.artifacts["model"], weights=context.model_config["weights"])

    def predict(self, context, model_input: pd.DataFrame, params: dict | None = None) -> list[dict]:
        """An answer per photo, in the form of `Analysis.as_json`.

        Raises:
            MlflowException: a photo is not a whole picture, or there are more than can be answered in the server's time
                limit; the server responds with status 400.
        """
        end_s = time.monotonic() + float(os.environ.get(TIME_LIMIT, "inf"))
        try:
            return [self._answer(photo, f"photo {row}", end_s) for row, photo in enumerate(model_input["photo"])]
        except DwmtlError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None

    def _answer(self, photo: object, name: str, end_s: float) -> dict:
        if not isinstance(photo, bytes):
            raise UnreadablePhotoError(f"{name}: must be the bytes of a picture. Got {type(photo).__name__} instead.")
        if time.monotonic() > end_s:
            raise RequestError(f"{name}: the request's time is over. Send fewer photos in one.")
        return self._model.analyze(decode_photo(photo, name)).as_json()


set_model(ServedModel())
