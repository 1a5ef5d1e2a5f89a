"""Verification written down from the protocol in plain loops, to compare with: slow, and obvious.

Not a test; `test_score_pairs.py` and `benchmarks/score_pairs.py` run it.
"""

import math


def verification(embeddings, pairs, *, distance, subtract_mean, far_targets):
    """embeddings: name -> list of floats; pairs: (name, name, is_same, fold). The numbers of `score_pairs`' JSON."""
    unit = {name: _unit(values) for name, values in embeddings.items()}
    scale = 1.0 if distance == "squared_euclidean" else 0.5
    grid = [i * 0.01 * scale for i in range(400)]
    fine_grid = [i * 0.001 * scale for i in range(4000)]
    common = None if subtract_mean else [_distance(unit[a], unit[b], distance) for a, b, _, _ in pairs]
    folds = sorted({fold for _, _, _, fold in pairs})
    accuracies, chosen, roc, rates, wrong = [], [], [], [], []
    for fold in folds:
        distances = _distances_without_mean(unit, pairs, fold, distance) if subtract_mean else common
        test = [(d, same) for d, (_, _, same, f) in zip(distances, pairs, strict=True) if f == fold]
        rest = [(d, same) for d, (_, _, same, f) in zip(distances, pairs, strict=True) if f != fold]
        threshold, best = None, -1.0
        for candidate in grid:
            accuracy = _accuracy(rest, candidate)
            if accuracy > best:
                threshold, best = candidate, accuracy
        chosen.append(threshold)
        accuracies.append(_accuracy(test, threshold))
        roc.append([(_rate(test, t, False), _rate(test, t, True)) for t in grid])
        rates.append([_validation_rate(test, rest, fine_grid, target) for target in far_targets])
        for d, (a, b, same, f) in zip(distances, pairs, strict=True):
            if f == fold and (d < threshold) != same:
                wrong.append([a, b, same, d, threshold])
    far = [0.0, *(_mean([curve[i][0] for curve in roc]) for i in range(len(grid))), 1.0]
    tar = [0.0, *(_mean([curve[i][1] for curve in roc]) for i in range(len(grid))), 1.0]
    return {
        "num_pairs": len(pairs),
        "num_folds": len(folds),
        "accuracy_per_fold": accuracies,
        "accuracy_mean": _mean(accuracies),
        "accuracy_std": _std(accuracies),
        "threshold_per_fold": chosen,
        "val_at_far": [
            {
                "far_target": target,
                "val_mean": _mean([fold[i][0] for fold in rates]),
                "val_std": _std([fold[i][0] for fold in rates]),
                "far_mean": _mean([fold[i][1] for fold in rates]),
            }
            for i, target in enumerate(far_targets)
        ],
        "tar_at_far": [_last_point_within(far, tar, target) for target in far_targets],
        "auc": sum((far[i + 1] - far[i]) * (tar[i + 1] + tar[i]) / 2 for i in range(len(far) - 1)),
        "eer": _equal_error_rate(far, tar),
        "num_wrong_pairs": len(wrong),
        "wrong_pairs": wrong,
    }


def combined(values, mirrored, flip):
    """An image's embedding and its mirrored image's, each of length 1, as one."""
    a, b = _unit(values), _unit(mirrored)
    return a + b if flip == "concatenate" else [x + y for x, y in zip(a, b, strict=True)]


def _unit(values):
    length = math.sqrt(sum(x * x for x in values))
    return [x / length for x in values]


def _distance(a, b, distance):
    if distance == "squared_euclidean":
        return sum((x - y) * (x - y) for x, y in zip(a, b, strict=True))
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    return min(max(1 - dot / lengths, 0.0), 2.0)


def _distances_without_mean(unit, pairs, fold, distance):
    sides = [unit[name] for a, b, _, f in pairs if f != fold for name in (a, b)]
    mean = [_mean([side[i] for side in sides]) for i in range(len(sides[0]))]
    moved = {name: [x - m for x, m in zip(values, mean, strict=True)] for name, values in unit.items()}
    return [_distance(moved[a], moved[b], distance) for a, b, _, _ in pairs]


def _accuracy(pairs, threshold):
    right = 0
    for d, same in pairs:
        right += (d < threshold) == same
    return right / len(pairs)


def _rate(pairs, threshold, kind):
    """Share of the genuine (kind True) or impostor pairs that are accepted."""
    accepted = total = 0
    for d, same in pairs:
        if same == kind:
            total += 1
            accepted += d < threshold
    return accepted / total


def _validation_rate(test, rest, grid, target):
    largest = [threshold for threshold in grid if _rate(rest, threshold, False) <= target][-1]
    return _rate(test, largest, True), _rate(test, largest, False)


def _last_point_within(far, tar, target):
    point = [i for i in range(len(far)) if far[i] <= target or math.isclose(far[i], target)][-1]
    return {"far_target": target, "far": far[point], "tar": tar[point]}


def _equal_error_rate(far, tar):
    for i in range(1, len(far)):
        before, after = far[i - 1] - (1 - tar[i - 1]), far[i] - (1 - tar[i])
        if after >= 0:
            return far[i - 1] + before / (before - after) * (far[i] - far[i - 1])
    raise AssertionError("the curve ends at (1, 1)")


def _mean(values):
    return sum(values) / len(values)


def _std(values):
    return math.sqrt(_mean([(value - _mean(values)) ** 2 for value in values]))
