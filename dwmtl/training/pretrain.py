"""Identity-only training of the trunk: the authors' starting point, in small."""

from pathlib import Path

import pandas as pd

from dwmtl.crops.aligned import crop_paths
from dwmtl.errors import ProtocolError
from dwmtl.network.network import IDENTITY
from dwmtl.network.timm_trunk import fill_pretrained
from dwmtl.params import Params
from dwmtl.training.compute import Execution, precision_facts
from dwmtl.training.crops import CropDataset
from dwmtl.training.loop import fit
from dwmtl.training.trained import Trained, initial_network, model_card
from dwmtl.training.training import Training
from dwmtl.weighting.fixed import FixedWeighting


def pretrain(labels: pd.DataFrame, aligned_dir: Path, params: Params, *, execution: Execution) -> Trained:
    """Train trunk and identity branch on the identity set, with softmax and centre loss.

    Args:
        labels: columns `tables.IDENTITY_LABELS`.
        aligned_dir: the identity set's folder of the stage `align`; only crops with a face found are used.
    Raises:
        ProtocolError: fewer than two identities are left.
        ModelFileError: `network.pretrained`, and timm's weights cannot be had.
    """
    paths = crop_paths(aligned_dir, labels["photo"], status=("aligned",))
    used = labels[paths != ""]
    if used["identity"].nunique() < 2:
        raise ProtocolError(
            f"{aligned_dir}: {used['identity'].nunique()} identities with a face found; pretraining needs at least 2. "
            f"Look at its failures.csv and at sets.identity in params.yaml."
        )
    dataset = CropDataset([aligned_dir / path for path in paths[paths != ""]], {IDENTITY: used["identity"].to_numpy()})
    subjects = labels.drop_duplicates("identity").sort_values("identity")["subject"].tolist()
    card = model_card(params, {IDENTITY: subjects}, provenance={"made_by": "pretrain"})
    network = initial_network(card, seed=params.pretrain.seed)
    if params.network.pretrained:
        fill_pretrained(network.trunk, params.network.standardization)
    network.num_shared_features(params.align.crop_px)  # an error now where the trunk cannot take such crops
    training = Training(
        network,
        FixedWeighting([1.0]),
        dataset,
        params.pretrain,
        losses={IDENTITY: params.tasks[IDENTITY].loss},
        facts=card.model_dump(),
    )
    fitted = fit(training, execution)
    facts = {
        "num_photos": len(used),
        "num_subjects": used["identity"].nunique(),
        **precision_facts(execution.fabric, asked=params.pretrain.precision),
    }
    return Trained(network, card, fitted, facts)
