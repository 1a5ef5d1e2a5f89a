"""Accuracy of predicted classes, of expressions or of a further task. Pure; opens no file."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassScore:
    """The outcome over N photos and C classes. Fractions, higher is better.

    Attributes:
        accuracy: share of the photos classified correctly.
        per_class: a class -> share of its photos classified correctly; classes without a photo are left out.
        balanced_accuracy: mean of `per_class`.
        macro_f1: mean F1 over the classes with a photo.
        confusion: (C, C) counts, rows actual, columns predicted.
        majority: share of the most frequent class, the accuracy of always predicting it.
    """

    accuracy: float
    per_class: dict[str, float]
    balanced_accuracy: float
    macro_f1: float
    confusion: np.ndarray
    majority: float


def score_classes(actual: np.ndarray, predicted: np.ndarray, classes: list[str]) -> ClassScore:
    """Score predictions.

    Args:
        actual, predicted: (N,) class indices, N > 0.
        classes: the C classes' names.
    """
    num = len(classes)
    confusion = np.bincount(np.asarray(actual, np.int64) * num + predicted, minlength=num * num).reshape(num, num)
    balanced_accuracy, macro_f1 = (float(values[0]) for values in confusion_scores(confusion[..., None]))
    counts = confusion.sum(axis=1)
    present = np.flatnonzero(counts)
    per_class = {classes[i]: float(confusion[i, i] / counts[i]) for i in present}
    return ClassScore(
        accuracy=float(np.trace(confusion) / counts.sum()),
        per_class=per_class,
        balanced_accuracy=balanced_accuracy,
        macro_f1=macro_f1,
        confusion=confusion,
        majority=float(counts.max() / counts.sum()),
    )


def confusion_scores(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Balanced accuracy and macro F1 of R confusion matrices at once, over the classes with a photo.

    Args:
        confusion: (C, C, R) counts, rows actual, columns predicted.
    Returns:
        (R,) each; NaN where a matrix is empty.
    """
    right = np.einsum("iir->ir", confusion)  # (C, R)
    actual, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    is_present, nothing = actual > 0, np.zeros(right.shape)
    recall = np.divide(right, actual, out=nothing.copy(), where=is_present)
    f1 = np.divide(2 * right, actual + predicted, out=nothing, where=is_present)
    num_present = np.where(is_present.any(axis=0), is_present.sum(axis=0), np.nan)
    return recall.sum(axis=0) / num_present, f1.sum(axis=0) / num_present
