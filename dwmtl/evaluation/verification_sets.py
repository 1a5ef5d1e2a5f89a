"""The verification sets, each scored over its own pairs and blocks."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from dwmtl.evaluation.fold import SetEvaluation, evaluate_verification_set
from dwmtl.evaluation.predict import predict
from dwmtl.network.network import FaceNetwork
from dwmtl.params import Params


def evaluate_sets(
    network: FaceNetwork, pairs: Mapping[str, pd.DataFrame], aligned: Path, params: Params
) -> dict[str, SetEvaluation]:
    """Score a network on verification sets, one after the other: only one set's embeddings are in memory.

    Args:
        pairs: a set's name -> its pairs, columns `tables.VERIFICATION_PAIRS`.
        aligned: the folder of the role verification, with the sets' outputs of the stage `align`.
    Raises:
        ProtocolError: a photo has no crop, or pairs cannot be scored.
    """
    return {
        name: evaluate_verification_set(
            of_set,
            people_by_folder(of_set),
            predict(network, photos_of(of_set), aligned, params),
            params=params.evaluate,
        )
        for name, of_set in pairs.items()
    }


def photos_of(pairs: pd.DataFrame) -> pd.Series:
    """The photos of both sides of official pairs."""
    return pd.concat([pairs["photo_a"], pairs["photo_b"]])


def people_by_folder(pairs: pd.DataFrame) -> dict[str, str]:
    """A photo of a verification set -> its subject: the folder that it is in, as in LFW's `Aaron_Eckhart/...jpg`.

    Empty where the pairs contradict the folders, as in a pack: a genuine pair across two, or an impostor pair in one.
    """
    a, b = (pairs[side].str.rpartition("/")[0] for side in ("photo_a", "photo_b"))
    if not ((a == b) == pairs["is_same_identity"].astype(bool)).all():
        return {}
    return dict(zip([*pairs["photo_a"], *pairs["photo_b"]], [*a, *b], strict=True))
