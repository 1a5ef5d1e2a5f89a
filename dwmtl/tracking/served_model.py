"""The script that MLflow runs to serve a model: encoded photos in, the answer of `FaceModel.analyze` for each out.

MLflow copies this file into the model and runs the copy when the model is loaded, so nothing is pickled. The rest of
dwmtl is installed: the model's requirements name its version.
"""

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from dwmtl.crops.photos import decode_photo
from dwmtl.errors import DwmtlError
from dwmtl.inference.model import FaceModel, load_model


class ServedModel(PythonModel):
    """Input: column `photo`, a row per photo, the bytes of a JPEG, PNG, ...; base64 in JSON. Requests are not kept."""

    _model: FaceModel

    def load_context(self, context) -> None:
        """Load the model from its artifacts, on a GPU if there is one."""
        self._model = load_model(context.artifacts["model"], weights=context.model_config["weights"])

    def predict(self, context, model_input: pd.DataFrame, params: dict | None = None) -> list[dict]:
        """An answer per photo, in the form of `Analysis.as_json`.

        Raises:
            MlflowException: a photo is not a whole picture; the server responds with status 400.
        """
        try:
            photos = enumerate(model_input["photo"])
            return [self._model.analyze(decode_photo(photo, f"photo {row}")).as_json() for row, photo in photos]
        except DwmtlError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None


set_model(ServedModel())
