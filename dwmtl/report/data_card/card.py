"""The data card of a set, typed: the content of `card.json`. Knows neither how it is computed nor how it is shown.

Unknown values are None. Lists that grow with the set are cut; the counts are of all entries.
"""

from dataclasses import dataclass, field

from dwmtl.set_facts import PassedOver


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the set comes from: its section of `params.yaml` and its facts (`set_facts`)."""

    name: str
    role: str
    adapter: str
    folder: str
    is_drawn: bool
    terms: str


@dataclass(frozen=True, kw_only=True)
class Photos:
    """`num_used`: photos whose use is not `unused`; all other numbers of the card count these. `passed_over`:
    pictures in the set's folder that are not its photos."""

    num: int
    num_used: int
    by_use: dict[str, int]
    passed_over: PassedOver = field(default_factory=PassedOver)


@dataclass(frozen=True)
class PhotosEach:
    """How many photos the subjects have."""

    min: int
    median: float
    max: int


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """The subjects of the photos; photos without a known subject are counted apart."""

    num: int
    num_photos_without: int
    num_with_one_photo: int
    photos_each: PhotosEach | None
    counts: dict[str, int] | None


@dataclass(frozen=True)
class ExpressionCount:
    """The number of photos of an expression, and of its subjects."""

    num_photos: int
    num_subjects: int


@dataclass(frozen=True, kw_only=True)
class Expressions:
    """The expressions of the photos."""

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
    """The folds of the set's subjects."""

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
    """Quantiles of a value over the photos."""

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
    """Outcome of the alignment; `face_side_px`: the longer side of a face's box, in pixels of the photo."""

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

    `same`: `bytes` where the files are equal, else `pixels`; `contradicts`: the labels that differ, of `expression` and
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
    """Pictures that are in the set more than once. `num_photos` counts photos; the other numbers count groups."""

    num_groups: int
    num_photos: int
    num_same_bytes: int
    num_contradictory: int
    num_across_folds: int
    groups: list[DuplicateGroup]


@dataclass(frozen=True, kw_only=True)
class Lack:
    """An expression, photo or sequence that most subjects have and `subjects` do not have."""

    what: str
    kind: str
    num_subjects: int
    subjects: list[str]


@dataclass(frozen=True, kw_only=True)
class DataCard:
    """A set's content, alignment, split and cautions; `labels`: counts of the labels of further tasks."""

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
