"""The section `tracking` of `params.yaml`."""

from typing import Annotated

from pydantic import Field

from dwmtl.section import Section


class TrackingParams(Section):
    """MLflow. No stage depends on this section. The server is MLFLOW_TRACKING_URI, by default sqlite:///mlflow.db."""

    enabled: bool = Field(default=True, description="false: nothing is logged")
    experiment: str = Field(default="dwmtl", min_length=1, description="the MLflow experiment's name")
    register_as: Annotated[str, Field(pattern=r"^[^/:]+$")] | None = Field(
        default="dwmtl",
        description="registered model that every fold's model becomes a version of; null: none",
    )
