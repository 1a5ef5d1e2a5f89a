"""The data sets that a run is trained and tested on, as MLflow lists them: name, digest, use. No data are sent."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dwmtl.params import Params
from dwmtl.tables import FURTHER_SETS_DIR
from dwmtl.tracking.digest import files_sha256

_MOST_OF_A_NAME = 500  # MLflow's limit
_DIGEST_LENGTH = 32  # MLflow's limit is 36


@dataclass(frozen=True)
class DataSet:
    """A data set, or a part of one.

    Attributes:
        title: the sets and their adapters; of a part, which subjects. The same in each fold.
        sha256: of the tables that list it; it differs between folds.
        use: `training`, `pretraining`, `validation` or `testing`.
        counts: of photos, subjects or pairs.
    """

    title: str
    sha256: str
    use: str
    counts: dict[str, int] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """Its name in MLflow."""
        return self.title[:_MOST_OF_A_NAME]

    @property
    def digest(self) -> str:
        """Its digest in MLflow."""
        return self.sha256[:_DIGEST_LENGTH]


def fold_data_sha256(params: Params, *, labels: Path, aligned: Path) -> str:
    """One digest of all tables that a fold's training reads."""
    identities = [labels / "identity.csv"] if "identity" in params.train.sets else []
    crops = _crops(params, params.train.sets, aligned)
    return files_sha256([labels / "expression.csv", labels / "classes.json", *identities, *crops])


def pretrain_data_sha256(params: Params, *, labels: Path, aligned: Path) -> str:
    """One digest of all tables that the pretraining reads; `aligned` is the folder of the identity sets."""
    crops = [aligned / name / "crops.csv" for name in params.sets_of("identity")]
    return files_sha256([labels / "identity.csv", *crops])


def pretrain_data_sets(params: Params, *, labels: Path, aligned: Path, use: str = "training") -> list[DataSet]:
    """The data set of the pretraining; `aligned` as in `pretrain_data_sha256`."""
    sha256 = pretrain_data_sha256(params, labels=labels, aligned=aligned)
    return [DataSet(_title(params, ["identity"]), sha256, use)]


def fold_data_sets(params: Params, fold: int, *, labels: Path, aligned: Path) -> list[DataSet]:
    """The data sets of a fold's training: first the one that it is trained on."""
    whole = fold_data_sha256(params, labels=labels, aligned=aligned)
    trained_on = DataSet(_title(params, params.train.sets), _part(whole, fold, "training"), "training")
    validated_on = _validation_data_set(params, fold, labels=labels, aligned=aligned)
    if "identity" in params.train.sets or params.train.start_is_imported:
        return [trained_on, *validated_on]
    started_on = pretrain_data_sets(params, labels=labels, aligned=aligned / "identity", use="pretraining")
    return [trained_on, *validated_on, *started_on]


def evaluation_data_sets(params: Params, fold: int, *, labels: Path, pairs: Path, aligned: Path) -> dict[str, DataSet]:
    """A section of a fold's `metrics.json`, or `validation` -> the data set that its scores are of."""
    crops = _crops(params, ["expression"], aligned)
    whole = files_sha256([labels / "expression.csv", pairs / f"fold_{fold}.csv", *crops])
    subjects = DataSet(f"{_title(params, ['expression'])}, test subjects", _part(whole, fold, "testing"), "testing")
    by_set = {
        name: DataSet(
            f"{name} ({params.sets[name].adapter})",
            files_sha256([pairs / "verification.csv", aligned / "verification" / name / "crops.csv"]),
            "testing",
        )
        for name in params.sets_of("verification")
    }
    return {
        **dict.fromkeys(("expression", "further_tasks", "expression_pairs", "authentication"), subjects),
        "verification": by_set.pop(params.main_verification_set),
        **{f"{FURTHER_SETS_DIR}/{name}": data_set for name, data_set in by_set.items()},
        **{each.use: each for each in _validation_data_set(params, fold, labels=labels, aligned=aligned)},
    }


def _validation_data_set(params: Params, fold: int, *, labels: Path, aligned: Path) -> list[DataSet]:
    """None where no subjects are held out."""
    if not params.train.validation_fraction:
        return []
    whole = files_sha256([labels / "expression.csv", *_crops(params, ["expression"], aligned)])
    sha256 = _part(whole, fold, f"validation {params.train.validation_fraction}")
    return [DataSet(f"{_title(params, ['expression'])}, validation subjects", sha256, "validation")]


def _title(params: Params, roles: Iterable[str]) -> str:
    return ", ".join(f"{name} ({params.sets[name].adapter})" for role in roles for name in params.sets_of(role))


def _crops(params: Params, roles: Iterable[str], aligned: Path) -> list[Path]:
    return [aligned / role / name / "crops.csv" for role in roles for name in params.sets_of(role)]


def _part(sha256: str, fold: int, part: str) -> str:
    """Digest of the part of data that a fold has."""
    return hashlib.sha256(f"{sha256} fold {fold} {part}".encode()).hexdigest()
