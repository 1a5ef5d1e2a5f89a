import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dwmtl.crops.photo_facts import photo_facts
from dwmtl.datasets import yale
from dwmtl.datasets.data_set import manifest as make_manifest
from dwmtl.datasets.packs.pictures import open_pictures
from dwmtl.report.data_card.card import (
    DataCard,
    ExpressionCount,
    Expressions,
    Fold,
    Lack,
    PairBlock,
    Photos,
    PhotosEach,
    Quantiles,
    Size,
    Sizes,
    Source,
    Subjects,
)
from dwmtl.report.data_card.contact_sheet import (
    NUM_COLUMNS,
    NUM_SUBJECTS,
    SIDE_PX,
    Cell,
    choose_cells,
    contact_sheet,
    write_contact_sheet,
)
from dwmtl.report.data_card.defects import MAX_LISTED, duplicates, lacks
from dwmtl.report.data_card.describe import MAX_SUBJECTS_LISTED, data_card
from dwmtl.report.data_card.page import data_card_markdown
from dwmtl.results import read_result, write_result
from dwmtl.set_facts import PassedOver
from dwmtl.tables import BOX, CROPS, FAILURES, PHOTO_FACTS

SOURCE = Source(
    name="oulu", role="expression", adapter="oulu_casia", folder="/sets/oulu", is_drawn=False, terms="Signed."
)


def row(photo: str, subject: str, expression: str = "", use: str = "peak", **others: object) -> dict:
    use = use if expression else "train"
    return {"photo": photo, "subject": subject, "expression": expression, "use": use, **others}


def grid(subjects: int = 4, expressions: tuple[str, ...] = ("anger", "happiness")) -> pd.DataFrame:
    """A photo a subject and expression: `P1.anger`."""
    names = [f"P{number}" for number in range(subjects)]
    return make_manifest([row(f"{name}.{shown}", name, shown) for name in names for shown in expressions])


def make_crops(manifest: pd.DataFrame, status: str = "aligned", **columns: object) -> pd.DataFrame:
    """A crop of each photo; boxes of 60 x 80 px."""
    crops = pd.DataFrame({"photo": manifest["photo"], "crop": "photos/" + manifest["photo"] + ".png"})
    crops = crops.assign(status=status, num_faces=1, confidence=0.9, **dict(zip(BOX, (10, 10, 70, 90), strict=True)))
    if status != "aligned":
        crops = crops.assign(num_faces=0, confidence=np.nan, **dict.fromkeys(BOX, np.nan))
    if status == "unreadable":
        crops["crop"] = ""
    return crops.assign(**columns).reindex(columns=list(CROPS))


def make_facts(manifest: pd.DataFrame, **pixels: str) -> pd.DataFrame:
    """Every photo another picture of 8 x 6 px, but those given one (`_` for the dot in the photo's name)."""
    photos = manifest["photo"]
    digests = [pixels.get(photo.replace(".", "_"), f"pixels of {photo}") for photo in photos]
    facts = pd.DataFrame({"photo": photos, "bytes_sha256": [f"bytes of {photo}" for photo in photos]})
    facts = facts.assign(pixels_sha256=digests, width_px=8, height_px=6)
    return facts.astype({"width_px": "Int64", "height_px": "Int64"})[list(PHOTO_FACTS)]


def make_folds(**folds: int) -> pd.DataFrame:
    return pd.DataFrame({"subject": list(folds), "fold": list(folds.values())})


def card_of(manifest: pd.DataFrame, crops: pd.DataFrame | None = None, **more: object) -> DataCard:
    more = {"source": SOURCE} | more
    card = data_card(manifest, make_crops(manifest) if crops is None else crops, **more)
    json.dumps(asdict(card), allow_nan=False)  # plain numbers only
    assert data_card_markdown(card).startswith("# Data card")
    return card


def test_photos_are_counted_by_use_expression_and_subject():
    frames = [row("P0.unused", "P0") | {"use": "unused"}, row("P0.normal", "P0", "neutral", "neutral")]
    rows = [*frames, row("P0.light", "P0"), *grid(3).to_dict("records")]
    card = card_of(make_manifest(rows))
    assert card.photos == Photos(num=9, num_used=8, by_use={"neutral": 1, "peak": 6, "train": 1, "unused": 1})
    shown = {
        "anger": ExpressionCount(num_photos=3, num_subjects=3),
        "happiness": ExpressionCount(num_photos=3, num_subjects=3),
        "neutral": ExpressionCount(num_photos=1, num_subjects=1),
    }
    assert card.expressions == Expressions(num_photos_without=1, counts=shown)
    assert card.subjects == Subjects(
        num=3,
        num_photos_without=0,
        num_with_one_photo=0,
        photos_each=PhotosEach(min=2, median=2.0, max=4),
        counts={"P0": 4, "P1": 2, "P2": 2},
    )


def test_a_drawn_set_is_cautioned_about():
    sentence = "The faces are drawn by this project, they are no photographs: the set shows that the pipeline works."
    assert card_of(grid(), source=replace(SOURCE, is_drawn=True)).cautions[0] == sentence
    assert sentence not in card_of(grid()).cautions


def test_counts_do_not_depend_on_the_order_of_the_rows():
    manifest = grid(5)
    shuffled = manifest.sample(frac=1, random_state=0)
    folds = make_folds(P0=0, P1=0, P2=1, P3=1, P4=1)
    assert card_of(manifest, folds=folds) == card_of(shuffled, folds=folds)


def test_folds_add_up_to_the_set():
    manifest = grid(4)
    folds = card_of(manifest, folds=make_folds(P0=0, P1=1, P2=1, P3=1)).folds
    by_expression = {"anger": 3, "happiness": 3}
    assert folds.rows[1] == Fold(fold=1, num_subjects=3, num_photos=6, by_expression=by_expression)
    assert sum(fold.num_photos for fold in folds.rows) == len(manifest)
    assert folds.num_photos_in_none == 0


def test_a_fold_without_an_expression_and_a_subject_without_a_fold_are_told():
    manifest = make_manifest([row("a", "P0", "anger"), row("b", "P1", "fear"), row("c", "P2", "fear")])
    card = card_of(manifest, folds=make_folds(P0=0, P1=1))
    assert card.folds.num_photos_in_none == 1
    assert "Fold 0 has no photo of fear: it is never tested there." in card.cautions
    assert "1 photo is of subjects that are in no fold." in card.cautions


def test_further_labels_are_counted_and_text_is_not():
    rows = [row(f"p{number}", "A", glasses="on" if number < 2 else "", note=f"note {number}") for number in range(30)]
    assert card_of(make_manifest(rows)).labels == {"glasses": {"on": 2}}


def test_official_pairs_are_counted_by_fold():
    pairs = pd.DataFrame({"photo_a": "a", "photo_b": "b", "is_same_identity": [True, False, False], "fold": [0, 0, 1]})
    found = card_of(grid(2), pairs=pairs).pairs
    assert (found.num_genuine, found.num_impostor) == (1, 2)
    assert found.rows[1] == PairBlock(fold=1, num_genuine=0, num_impostor=1)


def test_a_set_without_folds_expressions_digests_or_subjects_has_a_card():
    nobody = make_manifest([row("a.png", ""), row("b.png", "")])
    card = card_of(nobody, failures=pd.DataFrame(columns=list(FAILURES)))
    assert card.subjects.num == 0
    assert card.subjects.photos_each is None
    assert card.expressions == Expressions(num_photos_without=2, counts={})
    assert [card.folds, card.pairs, card.sizes, card.duplicates] == [None] * 4
    assert card.lacks == card.alignment.failures == []
    assert card.cautions[0].startswith("2 photos are of nobody known")


def test_the_subjects_of_a_large_set_are_not_listed():
    rows = [row(f"{number}.png", f"P{number}") for number in range(MAX_SUBJECTS_LISTED + 1)]
    subjects = card_of(make_manifest(rows), source=replace(SOURCE, role="identity")).subjects
    assert subjects.counts is None
    assert subjects.num == subjects.num_with_one_photo == MAX_SUBJECTS_LISTED + 1


def test_the_face_side_is_the_longer_one_and_quantiles_are_of_found_faces():
    manifest = grid(2)
    crops = make_crops(manifest, confidence=[0.7, 0.8, 0.9, 1.0], num_faces=[1, 2, 3, 1])
    alignment = card_of(manifest, crops).alignment
    assert alignment.face_side_px == Quantiles(**dict.fromkeys(Quantiles.__dataclass_fields__, 80.0))
    assert (alignment.confidence.min, alignment.confidence.median) == (0.7, 0.85)
    assert alignment.num_by_status == {"aligned": 4, "fallback": 0, "unreadable": 0}
    assert alignment.num_several_faces == 2


@pytest.mark.parametrize("status", ["fallback", "unreadable"])
def test_a_set_without_a_single_face_has_a_card(status):
    manifest = grid(2)
    failures = pd.DataFrame({"photo": manifest["photo"], "status": status, "reason": "why | not"})
    card = card_of(manifest, make_crops(manifest, status), failures=failures)
    assert card.alignment.confidence is card.alignment.face_side_px is None
    assert card.alignment.num_by_status[status] == 4
    assert card.alignment.failed_by_expression == {"anger": 2, "happiness": 2}
    assert any("4" in sentence for sentence in card.cautions)
    assert f"| `P0.anger` | {status} | why \\| not |" in data_card_markdown(card)


def test_sizes_are_listed_most_frequent_first():
    manifest = grid(2)
    facts = make_facts(manifest).assign(width_px=pd.array([4, 4, 9, pd.NA], "Int64"))
    facts.loc[3, ["pixels_sha256", "height_px"]] = ["", pd.NA]
    assert card_of(manifest, facts=facts).sizes == Sizes(
        num_sizes=2,
        num_unknown=1,
        most_frequent=[
            Size(width_px=4, height_px=6, num_photos=2),
            Size(width_px=9, height_px=6, num_photos=1),
        ],
    )


def test_the_same_pixels_under_two_labels_come_first_and_are_told():
    manifest = grid(3)
    facts = make_facts(manifest, P1_anger="x", P1_happiness="x", P0_anger="y", P2_anger="y")
    facts.loc[facts["photo"].isin(["P0.anger", "P2.anger"]), "bytes_sha256"] = "b"
    card = card_of(manifest, facts=facts, folds=make_folds(P0=0, P1=0, P2=1))
    first, second = card.duplicates.groups
    assert first.photos == ["P0.anger", "P2.anger"]
    assert (first.same, first.contradicts, first.folds) == ("bytes", ["subject"], [0, 1])
    assert (second.same, second.contradicts, second.folds) == ("pixels", ["expression"], [0])
    assert second.expressions == ["anger", "happiness"]
    counts = ("num_groups", "num_photos", "num_same_bytes", "num_contradictory", "num_across_folds")
    assert [getattr(card.duplicates, key) for key in counts] == [2, 4, 1, 2, 1]
    assert card.cautions[0].startswith("`P0.anger` = `P2.anger`: the same picture under 2 subjects (P0, P2).")
    assert "1 picture is in several folds: what is tested was also trained on." in card.cautions


def test_a_photo_without_a_label_contradicts_nothing():
    manifest = make_manifest([row("a", "P0", "anger"), row("b", "P0")])
    found = card_of(manifest, facts=make_facts(manifest, a="x", b="x")).duplicates
    assert (found.num_groups, found.num_contradictory) == (1, 0)


def test_equal_pixels_of_another_shape_are_another_picture(tmp_path):
    manifest = grid(1)
    first, second = manifest["photo"]
    for shape, num_groups in (((6, 8, 3), 1), ((8, 6, 3), 0)):
        Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / first, "PNG")
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / second, "BMP")
        facts = photo_facts(open_pictures("folders", tmp_path), manifest["photo"])
        assert duplicates(manifest.assign(fold=pd.NA), facts).num_groups == num_groups


def test_unreadable_photos_are_compared_by_their_bytes_and_missing_ones_not_at_all():
    manifest = grid(2)
    empty = pd.array([pd.NA] * 4, "Int64")
    facts = make_facts(manifest).assign(pixels_sha256="", width_px=empty, height_px=empty)
    facts["bytes_sha256"] = ["same", "same", "", ""]
    found = duplicates(manifest.assign(fold=pd.NA), facts)
    assert [group.photos for group in found.groups] == [["P0.anger", "P0.happiness"]]
    assert found.groups[0].same == "bytes"


def test_duplicates_are_those_of_comparing_every_pair():
    manifest = grid(10)
    rng = np.random.default_rng(0)
    facts = make_facts(manifest).assign(pixels_sha256=[f"{number}" for number in rng.integers(0, 12, 20)])
    digests = dict(zip(facts["photo"], facts["pixels_sha256"], strict=True))
    expected = {tuple(sorted(b for b in digests if digests[a] == digests[b])) for a in digests}
    found = duplicates(manifest.assign(fold=pd.NA), facts)
    assert {tuple(group.photos) for group in found.groups} == {group for group in expected if len(group) > 1}


def test_more_duplicates_than_are_listed_are_counted():
    manifest = grid(MAX_LISTED + 3)
    facts = make_facts(manifest).assign(pixels_sha256=manifest["subject"])
    card = card_of(manifest, facts=facts)
    assert card.duplicates.num_contradictory == MAX_LISTED + 3
    assert len(card.duplicates.groups) == MAX_LISTED
    assert f"{MAX_LISTED + 3 - 5} more pictures have contradicting labels." in card.cautions
    assert f"The first {MAX_LISTED} of {MAX_LISTED + 3}." in data_card_markdown(card)


def test_a_picture_that_stands_for_very_many_photos_is_cut_and_counted():
    manifest = make_manifest([row(f"{number:03d}.png", "A") for number in range(MAX_LISTED + 10)])
    card = card_of(manifest, facts=make_facts(manifest).assign(pixels_sha256="placeholder"))
    (group,) = card.duplicates.groups
    assert (group.num_photos, len(group.photos)) == (MAX_LISTED + 10, MAX_LISTED)
    assert card.duplicates.num_photos == MAX_LISTED + 10
    assert "`049.png` = ..." in data_card_markdown(card)


def test_what_most_subjects_have_and_one_lacks_is_named():
    manifest = grid(6, ("anger", "fear", "joy"))
    found = lacks(manifest[manifest["photo"] != "P3.fear"])
    assert found == [
        Lack(what="expression", kind="fear", num_subjects=1, subjects=["P3"]),
        Lack(what="photo", kind="*.fear", num_subjects=1, subjects=["P3"]),
    ]
    assert lacks(manifest) == []


def test_a_missing_sequence_is_named_once_however_many_frames_it_has():
    rows = [
        row(f"VL/P{subject}/{name}/{frame}.png", f"P{subject}", name, sequence=f"VL/P{subject}/{name}", frame=frame)
        for subject in range(5)
        for name in ("anger", "fear")
        for frame in range(2 + subject)
        if (subject, name) != (2, "fear")
    ]
    assert [found.kind for found in lacks(make_manifest(rows))] == ["fear", "VL/*/fear"]


def test_a_photo_with_another_ending_is_not_missing():
    manifest = grid(6)
    assert lacks(manifest.assign(photo=manifest["photo"].replace("P3.anger", "P3.anger.gif"))) == []


def test_numbered_photos_are_not_missing_where_a_subject_has_fewer():
    rows = [row(f"{who}/{who}_{number:04d}.jpg", str(who)) for who in range(10) for number in range(3 + (who > 0))]
    assert lacks(make_manifest(rows)) == []


def test_a_layout_of_ones_own_a_subject_lacks_nothing():
    rows = [row(f"P{who}/{chr(97 + who)}{letter}.jpg", f"P{who}") for who in range(5) for letter in "xyz"]
    assert lacks(make_manifest(rows)) == []


def test_an_expression_that_few_subjects_show_is_not_missing():
    rows = [row(f"P{who}.anger", f"P{who}", "anger") for who in range(10)]
    rows += [row(f"P{who}.fear", f"P{who}", "fear") for who in range(5)]
    assert lacks(make_manifest(rows)) == []


def test_names_from_the_set_are_no_markup():
    manifest = make_manifest([row("a|b`c.png", "<b>|", "anger")])
    page = data_card_markdown(card_of(manifest))
    assert "| &lt;b>\\| | 1 |" in page


def test_photo_facts_tell_equal_pixels_in_other_bytes_and_leave_unreadable_cells_empty(tmp_path):
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "b.bmp")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    facts = photo_facts(open_pictures("folders", tmp_path), ["b.bmp", "a.png", "broken.png", "gone.png"]).set_index(
        "photo"
    )
    assert facts.index.tolist() == ["b.bmp", "a.png", "broken.png", "gone.png"]
    assert (
        facts["pixels_sha256"].tolist()[:2]
        == [hashlib.sha256(b"%dx%dx3" % pixels.shape[:2] + pixels.tobytes()).hexdigest()] * 2
    )
    assert facts["bytes_sha256"].nunique() == 4
    assert facts.loc["a.png", ["width_px", "height_px"]].tolist() == [4, 2]
    assert facts.loc["broken.png", "bytes_sha256"] == hashlib.sha256(b"no picture").hexdigest()
    assert facts.loc[["broken.png", "gone.png"], ["width_px", "height_px"]].isna().all(axis=None)
    assert facts.loc["gone.png", ["bytes_sha256", "pixels_sha256"]].tolist() == ["", ""]


def test_the_sheet_shows_an_expression_a_row_with_subjects_evenly_spread():
    manifest = grid(2 * NUM_COLUMNS)
    cells = choose_cells(manifest, make_crops(manifest))
    assert list(cells) == ["anger", "happiness"]
    subjects = sorted(manifest["subject"].unique())
    assert [cell.caption for cell in cells["anger"]] == subjects[::2]
    assert cells["anger"][0] == Cell(f"photos/{subjects[0]}.anger.png", subjects[0])


def test_the_sheet_shows_the_last_frame_of_a_subject():
    rows = [row(f"{frame}.png", "A", "fear", frame=frame, sequence="A/fear") for frame in (9, 10, 8)]
    manifest = make_manifest(rows)
    assert choose_cells(manifest, make_crops(manifest))["fear"][0].crop == "photos/10.png.png"


def test_photos_without_an_expression_differ_from_subject_to_subject_on_the_sheet():
    rows = [row(f"P{who}.{light}", f"P{who}") for who in range(2) for light in ("left", "right")]
    manifest = make_manifest([*rows, row("P0.sad", "P0", "sadness")])
    cells = choose_cells(manifest, make_crops(manifest))
    assert list(cells) == ["sadness", "no expression"]
    assert [cell.crop for cell in cells["no expression"]] == ["photos/P0.left.png", "photos/P1.right.png"]


def test_the_sheet_of_a_set_without_expressions_shows_many_subjects_once_and_nobody_unreadable():
    rows = [row(f"{who:03d}/{number}.png", f"{who:03d}") for who in range(100) for number in range(2)]
    manifest = make_manifest(rows)
    crops = make_crops(manifest)
    crops.loc[0:1, ["status", "crop"]] = ["unreadable", ""]
    (cells,) = choose_cells(manifest, crops).values()
    assert len({cell.caption for cell in cells}) == len(cells) == NUM_SUBJECTS
    assert cells[0].caption == "001"


def test_people_nobody_knows_are_shown_photo_by_photo():
    manifest = make_manifest([row(f"{number}.png", "", "fear") for number in range(3)])
    assert len(choose_cells(manifest, make_crops(manifest))["fear"]) == 3


@pytest.fixture
def aligned_dir(tmp_path):
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        Image.new("RGB", (112, 112), colour).save(tmp_path / f"{name}.png")
    return tmp_path


def test_the_sheet_holds_the_crops_in_their_places(aligned_dir):
    cells = {"anger": [Cell("red.png", "A")], "fear": [Cell("red.png", "A"), Cell("blue.png", "a name" * 20)]}
    sheet = np.asarray(contact_sheet(aligned_dir, cells))
    red, blue = ((sheet == colour).all(axis=2) for colour in ((200, 0, 0), (0, 0, 200)))
    assert (red.sum(), blue.sum()) == (2 * SIDE_PX**2, SIDE_PX**2)
    (rows, columns), (blue_rows, blue_columns) = np.nonzero(red), np.nonzero(blue)
    assert blue_rows.min() > rows.min() + SIDE_PX  # the second row
    assert blue_columns.min() > columns.max()  # the second column


def test_a_crop_without_a_face_is_framed(aligned_dir):
    framed = contact_sheet(aligned_dir, {"": [Cell("red.png", "A", is_fallback=True)]})
    plain = contact_sheet(aligned_dir, {"": [Cell("red.png", "A")]})
    assert framed.getpixel((4, 4)) != plain.getpixel((4, 4)) == (200, 0, 0)
    assert framed.height > plain.height  # what the frame means stands below


def test_a_long_row_is_broken_and_an_empty_sheet_says_so(aligned_dir):
    one, two = (
        contact_sheet(aligned_dir, {"": [Cell("red.png", "A")] * num}) for num in (NUM_COLUMNS, NUM_COLUMNS + 1)
    )
    assert two.width == one.width
    assert two.height > one.height + SIDE_PX
    assert contact_sheet(aligned_dir, {}).width > 0


def test_the_same_sheet_gives_the_same_bytes(aligned_dir):
    for name in ("first", "second"):
        write_contact_sheet(contact_sheet(aligned_dir, {"": [Cell("red.png", "A")]}), aligned_dir / name)
    assert (aligned_dir / "first").read_bytes() == (aligned_dir / "second").read_bytes()


def test_the_defects_of_the_real_yale_are_found(testdata, tmp_path):
    folder = testdata / "real" / "yale"
    manifest = yale.read(folder, num_peak_frames=1).photos
    facts = photo_facts(open_pictures("yale", folder), manifest["photo"])
    card = card_of(manifest, facts=facts, source=replace(SOURCE, name="yale", adapter="yale"))
    assert (card.photos.num, card.subjects.num) == (164, 15)
    assert card.sizes.most_frequent == [Size(width_px=320, height_px=243, num_photos=164)]
    contradictory, *others = card.duplicates.groups
    assert contradictory.photos == ["subject04.normal", "subject04.sad"]
    assert contradictory.contradicts == ["expression"]
    repeated = [group.photos for group in others]
    noglasses = [[f"subject{number}.noglasses", f"subject{number}.normal"] for number in ("02", "03", "06", "07")]
    noglasses += [[f"subject{number}.noglasses", f"subject{number}.normal"] for number in ("09", "12", "14")]
    assert repeated == sorted([*noglasses, ["subject08.glasses", "subject08.normal"]])
    assert card.lacks == [
        Lack(what="photo", kind="*.centerlight", num_subjects=1, subjects=["subject01"]),
    ]
    assert "subject01 lacks the photo `*.centerlight`, which the other subjects have." in card.cautions
    write_result(card, tmp_path / "card.json")
    assert read_result(DataCard, tmp_path / "card.json") == card
    assert data_card_markdown(card).count("subject04.sad") == 2


def test_pictures_that_are_not_taken_are_a_caution():
    manifest = grid()
    others = PassedOver(3, ["a.heic", "b/1.jp2"])
    card = data_card(manifest, make_crops(manifest), source=SOURCE, passed_over=others)
    assert card.photos.passed_over == others
    assert card.cautions[0] == (
        "3 pictures are in the set's folder but not where the adapter looks, so skipped: "
        "`a.heic`, `b/1.jp2` and 1 more."
    )
