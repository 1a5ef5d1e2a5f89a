"""The data card of a set, typed: the content of `card.json`. Knows neither how it is measured nor how it is shown.

What cannot be known is None. Lists that may grow with the set are cut, and the counts beside them are not.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the set is from: `params.yaml` and the set's facts (`set_facts`)."""

    name: str
    role: str
    adapter: str
    folder: str
    is_drawn: bool
    terms: str


@dataclass(frozen=True, kw_only=True)
class Photos:
    """`num_used`: those that are not of the use `unused`, and counted by everything else in the card."""

    num: int
    num_used: int
    by_use: dict[str, int]


@dataclass(frozen=True)
class PhotosEach:
    """How many photos the subjects have."""

    min: int
    median: float
    max: int


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """Who is on the photos; photos of nobody known are counted apart."""

    num: int
    num_photos_without: int
    num_with_one_photo: int
    photos_each: PhotosEach | None
    counts: dict[str, int] | None


@dataclass(frozen=True)
class ExpressionCount:
    """How often an expression is shown, and by how many subjects."""

    num_photos: int
    num_subjects: int


@dataclass(frozen=True, kw_only=True)
class Expressions:
    """What the photos show."""

    num_photos_without: int
    counts: dict[str, ExpressionCount]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """The test photos of a fold."""

    fold: int
    num_subjects: int
    num_photos: int
    by_expression: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Folds:
    """Of the set's subjects."""

    num_photos_in_none: int
    rows: list[Fold]


@dataclass(frozen=True, kw_only=True)
class PairBlock:
    """A fold of the official pairs."""

    fold: int
    num_genuine: int
    num_impostor: int


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The official pairs."""

    num_genuine: int
    num_impostor: int
    rows: list[PairBlock]


@dataclass(frozen=True, kw_only=True)
class Quantiles:
    """Of a value over the photos."""

    min: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    max: float


@dataclass(frozen=True)
class Failure:
    """A photo without a face; see `tables.FAILURES`."""

    photo: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How many faces were found, how surely and how large; `face_side_px`: the longer side of the box, in the photo."""

    num_photos: int
    num_by_status: dict[str, int]
    num_several_faces: int
    confidence: Quantiles | None
    face_side_px: Quantiles | None
    failed_by_expression: dict[str, int]
    failures: list[Failure]


@dataclass(frozen=True, kw_only=True)
class Size:
    """Photos of one size."""

    width_px: int
    height_px: int
    num_photos: int


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The photos' sizes, the most frequent first."""

    num_sizes: int
    num_unknown: int
    most_frequent: list[Size]


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup:
    """Photos that are the same picture.

    `same`: `bytes` where the files are equal, else `pixels`; `contradicts`: the labels that differ, `expression` or
    `subject`.
    """

    num_photos: int
    photos: list[str]
    same: str
    subjects: list[str]
    expressions: list[str]
    contradicts: list[str]
    folds: list[int]


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Pictures that are in the set more than once. `num_photos`: in all groups; the other counts are of groups."""

    num_groups: int
    num_photos: int
    num_same_bytes: int
    num_contradictory: int
    num_across_folds: int
    groups: list[DuplicateGroup]


@dataclass(frozen=True, kw_only=True)
class Lack:
    """An expression, photo or sequence that most subjects have and `subjects` lack."""

    what: str
    kind: str
    num_subjects: int
    subjects: list[str]


@dataclass(frozen=True, kw_only=True)
class DataCard:
    """What is in a set, what became of it, and what to be careful about; `labels`: of further tasks."""

    source: Source
    photos: Photos
    subjects: Subjects
    expressions: Expressions
    labels: dict[str, dict[str, int]]
    folds: Folds | None
    pairs: Pairs | None
    alignment: Alignment
    sizes: Sizes | None
    duplicates: Duplicates | None
    lacks: list[Lack]
    cautions: list[str]
