"""The headline scores: the list of the scores that are summed up over the folds, logged, shown and compared."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Headline:
    """A score of a fold, a fraction.

    Attributes:
        key: its name in the summary and in MLflow.
        title: its row on the report's page.
        section, field: its keys in a fold's `metrics.json`.
        is_higher_better: whether a higher value is better.
        column: its column in a comparison of experiments; None: experiments are not compared by it.
        caption: its caption at the top of the report's page; None: it is not shown there.
    """

    key: str
    title: str
    section: str
    field: str
    is_higher_better: bool = True
    column: str | None = None
    caption: str | None = None

    def of(self, metrics: Mapping[str, Mapping]) -> float | None:
        """The score's value in the content of a `metrics.json`; None where there is none."""
        return metrics[self.section].get(self.field)


HEADLINES = (
    Headline(
        "expression_accuracy",
        "Expression: accuracy",
        "expression",
        "accuracy",
        column="expression",
        caption="Expression",
    ),
    Headline("expression_balanced_accuracy", "Expression: balanced accuracy", "expression", "balanced_accuracy"),
    Headline("expression_macro_f1", "Expression: macro F1", "expression", "macro_f1"),
    Headline(
        "verification_accuracy",
        "Verification set: accuracy",
        "verification",
        "accuracy_mean",
        column="verification",
        caption="Same person or not",
    ),
    Headline("verification_auc", "Verification set: AUC", "verification", "auc"),
    Headline(
        "verification_eer", "Verification set: EER (lower is better)", "verification", "eer", is_higher_better=False
    ),
    Headline(
        "expression_pairs_accuracy",
        "Test subjects' pairs: verification accuracy",
        "expression_pairs",
        "accuracy_mean",
    ),
    Headline("expression_pairs_auc", "Test subjects' pairs: AUC", "expression_pairs", "auc"),
    Headline(
        "authentication_accuracy",
        "Authentication: joint accuracy",
        "authentication",
        "accuracy",
        column="authentication",
        caption="Same person, required expression",
    ),
    Headline(
        "authentication_far",
        "Authentication: FAR (lower is better)",
        "authentication",
        "far",
        is_higher_better=False,
    ),
    Headline(
        "authentication_frr",
        "Authentication: FRR (lower is better)",
        "authentication",
        "frr",
        is_higher_better=False,
    ),
    Headline("authentication_product", "Authentication: the authors' product", "authentication", "product"),
)
"""In the order of the report's page."""

COMPARED = tuple(headline for headline in HEADLINES if headline.column)
"""The scores by which experiments are compared, in this order."""
