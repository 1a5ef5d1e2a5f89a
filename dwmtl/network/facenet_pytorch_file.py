"""The files of weights that facenet-pytorch publishes, by their names."""

from pathlib import Path

from dwmtl.errors import ModelFileError

PUBLISHED = ("vggface2", "casia-webface")


def published_file(name: str) -> Path:
    """The file of published weights, which facenet-pytorch downloads into torch's cache unless it is there.

    Raises:
        ModelFileError: the file could not be downloaded.
    """
    from facenet_pytorch.models import inception_resnet_v1  # slow to import, and not needed for files

    folder = Path(inception_resnet_v1.get_torch_home()) / "checkpoints"
    if not any(folder.glob(f"*-{name}.pt")):
        try:
            inception_resnet_v1.InceptionResnetV1(pretrained=name)
        except OSError as error:
            raise ModelFileError(
                f"{name}: facenet-pytorch could not download it ({error}). Download its .pt file elsewhere and name "
                "the file."
            ) from None
    return sorted(folder.glob(f"*-{name}.pt"))[-1]
