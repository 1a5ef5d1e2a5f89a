"""The sections `labels` and `pairs` of `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from dwmtl.section import PositiveInt, Section, Seed
from dwmtl.tables import composed


class LabelsParams(Section):
    """The use of the photos of the expression set, and its folds."""

    protocol: Literal["folds", "official"] = Field(
        default="folds",
        exclude_if=lambda protocol: protocol == "folds",  # so that reports written before it keep their bytes
        description="folds: k-fold cross-validation over subjects · official: one fold, 0, which trains on the "
        "official training part of the expression sets and tests on their official test part; see docs/your_data.md",
    )
    num_folds: Annotated[int, Field(ge=2)] = Field(
        default=5, description="k of the k-fold cross-validation over subjects"
    )
    seed: Seed | None = Field(
        default=None,
        description="of the shuffle of the sorted subjects before they are cut; null: no shuffle. Also of the draw of "
        "the neutral photos that max_neutral_per_subject keeps; null: 0",
    )
    stratify_by_expression: bool = Field(
        default=False,
        description="whether subjects are assigned so that each expression is spread evenly over the folds",
    )
    folds: dict[int, Annotated[list[str], Field(min_length=1)]] | None = Field(
        default=None,
        description="a given split, fold -> its subjects, as `dwmtl import-folds` prints it: the other subjects are "
        "cut into the folds that are not listed; null: all are cut",
    )
    has_neutral: bool = Field(default=True, description="whether neutral is a class (7 classes on Oulu-CASIA, else 6)")
    max_neutral_per_subject: PositiveInt | None = Field(
        default=None,
        description="largest number of photos per subject in the class neutral; the others, drawn at random, have no "
        "expression: they train identity and remain references of pairs; null: no limit",
    )
    drop_duplicates: bool = Field(
        default=False,
        description="whether to keep only one of the photos with the same bytes or pixels, and none where their "
        "subjects or expressions contradict each other",
    )

    @field_validator("folds")
    @classmethod
    def _subject_has_one_fold(cls, folds: dict[int, list[str]] | None) -> dict[int, list[str]] | None:
        folds = folds and {fold: list(map(composed, subjects)) for fold, subjects in folds.items()}
        seen: dict[str, int] = {}
        for fold, subjects in (folds or {}).items():
            for subject in subjects:
                if subject in seen:
                    raise ValueError(f"folds must list a subject once. Got {subject} in {seen[subject]} and in {fold}.")
                seen[subject] = fold
        return folds

    @property
    def num_tested_folds(self) -> int:
        """The number of folds that there are."""
        return 1 if self.protocol == "official" else self.num_folds

    def check_folds(self, folds: list[int]) -> None:
        """Refuse what `folds` of params.yaml cannot be.

        Raises:
            ValueError: it names a fold twice, or one that there is not.
        """
        if len(set(folds)) < len(folds):
            raise ValueError(f"folds must name each fold once. Got {folds} instead.")
        if self.protocol == "official" and folds != [0]:
            raise ValueError(
                f"folds must be [0] where labels.protocol is official: its test part is fold 0. Got {folds} instead."
            )
        if max(folds) >= self.num_tested_folds:
            raise ValueError(
                f"folds must be < labels.num_folds ({self.num_folds}), counted from 0. Got {folds} instead."
            )

    @model_validator(mode="after")
    def _listed_folds_exist(self):
        if self.folds is not None and self.protocol == "official":
            raise ValueError("folds must be null where protocol is official: the official parts are the split.")
        wrong = sorted(fold for fold in self.folds or () if not 0 <= fold < self.num_folds)
        if wrong:
            raise ValueError(
                f"folds must be numbered from 0 and < num_folds ({self.num_folds}). Got fold {wrong[0]} instead."
            )
        return self


class PairsParams(Section):
    """Pairs of a fold's test subjects, with expressions."""

    file: str | None = Field(
        default=None,
        description="a pair file of Ming et al. in the folder of an expression set: its pairs replace the generated "
        "ones of the fold whose test subjects it names; null: the pairs of every fold are generated",
    )
    required_expressions: Annotated[list[str], Field(min_length=1)] = Field(
        default=["happiness", "surprise"], description="expressions that authentication requires"
    )
    references: Literal["neutral", "all"] = Field(
        default="neutral",
        description="neutral: the first neutral photo of each sequence; all: every neutral photo and every peak",
    )
    num_blocks: Annotated[int, Field(ge=2)] = Field(
        default=10, description="blocks of the verification cross-validation"
    )
    seed: Seed = Field(default=0, description="of the draw of pairs")
