"""The description of a model: the network it is, and what that network expects of a crop. Knows nothing of files."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dwmtl.network.kinds import make_kind
from dwmtl.network.network import IDENTITY, FaceNetwork
from dwmtl.network.params import HeadParams, KindName, NetworkParams
from dwmtl.section import CropPx, Fraction


class TaskCard(BaseModel):
    """A task of a model: its head, and the names of its outputs in their order, of its classes or columns.

    `kind` and `range` are written where the task is not of classes; see `network.params`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    head: HeadParams
    classes: list[str]
    kind: KindName = Field("classes", exclude_if=lambda kind: kind == "classes")
    range: list[float] | None = Field(None, min_length=2, max_length=2, exclude_if=lambda ends: ends is None)


class DetectorCard(BaseModel):
    """How the faces of a model's crops were detected, chosen and cropped; see `AlignParams`.

    The defaults are facenet's; an imported checkpoint's card has them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_face_px: int = Field(20, ge=12)
    thresholds: list[Fraction] = Field([0.6, 0.7, 0.7], min_length=3, max_length=3)
    pyramid_factor: float = Field(0.709, gt=0, lt=1)
    select: Literal["center_weighted_size", "largest", "most_confident"] = "center_weighted_size"
    crop_form: Literal["margin_in_crop", "margin_in_photo", "similarity"] = "margin_in_crop"


class ModelCard(BaseModel):
    """The description of a model: enough to build its network and to prepare a photo as in its training.

    Attributes:
        crop_px, margin_px: size (a side, or height and width) and margin of its crops.
        detector: how the faces of its crops were detected and cropped.
        tasks: by name, in their order.
        provenance: what made it (`made_by`) and from what; no time and no path of a machine.
        weights_sha256: SHA-256 of the file of weights, hexadecimal; None before it is saved.
        further_sha256: file name -> SHA-256 of the optional files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["dwmtl-2"] = "dwmtl-2"
    network: NetworkParams
    crop_px: CropPx
    margin_px: int
    detector: DetectorCard = DetectorCard()
    tasks: dict[str, TaskCard]
    provenance: dict[str, Any]
    weights_sha256: str | None = None
    further_sha256: dict[str, str] = {}

    def classes(self, task: str) -> list[str]:
        """Names of a task's classes or columns; empty where the model does not have the task."""
        return self.tasks[task].classes if task in self.tasks else []

    def people_seen(self) -> list[str]:
        """Subjects that must not be tested on, sorted: those of the training, of its start, and of validation."""
        seen = (self.provenance.get(key, []) for key in ("trained_on", "validated_on"))
        return sorted({*self.classes(IDENTITY), *(name for names in seen for name in names)})


def build_network(card: ModelCard) -> FaceNetwork:
    """Build a network with initial weights from torch's generator."""
    return FaceNetwork(
        card.network,
        {name: task.head for name, task in card.tasks.items()},
        {name: len(task.classes) for name, task in card.tasks.items()},
        {name: make_kind(task.kind, task.range) for name, task in card.tasks.items()},
    )
