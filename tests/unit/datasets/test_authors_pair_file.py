import contextlib
import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl import tables
from dwmtl.datasets.authors_pair_file import (
    AUTHORS_PAIRS,
    OULU_EXPRESSIONS,
    format_pairs,
    parse_pairs,
    read_authors_pairs,
)
from dwmtl.errors import DataSetError
from dwmtl.protocol.given_pairs import interleave_pairs
from dwmtl.protocol.pairs import check_blocks

HEADER = "No.  Input_img    Ref_img    IdentityIssame     Expression_actual    Expression_require    Expression_ref    "
HEADER += "ExpressionIsrequire"
"""As the authors' script writes it."""
OULU_TEXT = f"""{HEADER}
0  /data/zming/Oulu/P018/Happiness/a.png  /data/zming/Oulu/P018/Anger/000.png  True  3  3  -1  True
1  /data/zming/Oulu/P019/Fear/b.png  /data/zming/Oulu/P018/Anger/000.png  False  2  5  -1  False
"""


def _parse(text: str, **options) -> pd.DataFrame:
    return parse_pairs(enumerate(text.splitlines(), start=1), name="pairs.txt", **options)


def test_line_is_a_pair_with_its_expressions_named_and_its_paths_moved():
    pairs = _parse(OULU_TEXT, expressions=OULU_EXPRESSIONS, remap=("/data/zming/Oulu", "VL/Strong"))
    assert tuple(pairs.columns) == AUTHORS_PAIRS
    assert pairs.to_numpy().tolist() == [
        [
            *(0, "VL/Strong/P018/Happiness/a.png", "VL/Strong/P018/Anger/000.png"),
            True,
            *("happiness",) * 2,
            "neutral",
            True,
        ],
        [
            *(1, "VL/Strong/P019/Fear/b.png", "VL/Strong/P018/Anger/000.png"),
            False,
            "fear",
            "surprise",
            "neutral",
            False,
        ],
    ]


def test_without_names_the_expressions_stay_as_they_stand():
    pairs = _parse(OULU_TEXT.replace("  -1  ", "  Neutral  "))
    assert pairs["expression_reference"].tolist() == ["Neutral", "Neutral"]
    assert pairs["expression_actual"].tolist() == ["3", "2"]


def test_what_was_read_is_written_as_it_was_but_for_the_spaces_of_the_header():
    remap = ("/data/zming/Oulu", "VL/Strong")
    pairs = _parse(OULU_TEXT, expressions=OULU_EXPRESSIONS, remap=remap)
    text = format_pairs(pairs, name="pairs.txt", expressions=OULU_EXPRESSIONS, remap=remap[::-1])
    assert text.splitlines()[0] == "  ".join(HEADER.split())
    assert text.splitlines()[1:] == OULU_TEXT.splitlines()[1:]


def test_pairs_of_the_stage_are_written_counted_from_zero():
    pairs = _parse(OULU_TEXT).drop(columns="number").assign(fold=0)[list(tables.EXPRESSION_PAIRS)]
    written = _parse(format_pairs(pairs, name="pairs.txt"))
    pd.testing.assert_frame_equal(written, _parse(OULU_TEXT))


def test_pairs_in_the_authors_order_are_cut_into_blocks_of_both_kinds():
    lines = [f"{n}  a{n}  b  {n < 192}  3  3  -1  True" for n in range(384)]
    cut = interleave_pairs(_parse("\n".join([HEADER, *lines])), num_blocks=10)
    check_blocks(cut)
    assert cut.groupby("fold")["is_same_identity"].mean().between(0.45, 0.55).all()


PHOTOS = pd.DataFrame({"photo": ["P018/Happiness/a.png", "P018/Anger/000.png", "P019/Fear/b.png"]})


def test_numbers_of_a_file_are_the_expressions_of_oulu_casia(tmp_path):
    (tmp_path / "pairs.txt").write_text(OULU_TEXT)
    pairs = read_authors_pairs(tmp_path / "pairs.txt", PHOTOS, remap=("/data/zming/Oulu", ""))
    assert pairs.columns.tolist() == list(tables.GIVEN_PAIRS)
    assert pairs["expression_actual"].tolist() == ["happiness", "fear"]
    assert pairs["expression_reference"].tolist() == ["neutral", "neutral"]


def test_named_expressions_get_the_common_names_of_the_set(tmp_path):
    named = OULU_TEXT.replace("3  3  -1", "Happy  Happy  Neutral").replace("2  5  -1", "Fear  Surprise  Neutral")
    (tmp_path / "pairs.txt").write_text(named)
    names = {"happy": "happiness", "fear": None}
    pairs = read_authors_pairs(tmp_path / "pairs.txt", PHOTOS, remap=("/data/zming/Oulu", ""), expressions=names)
    assert pairs["expression_required"].tolist() == ["happiness", "surprise"]
    assert pairs["expression_actual"].tolist() == ["happiness", "fear"]


def test_photo_that_the_set_lacks_is_named_with_its_pair(tmp_path):
    (tmp_path / "pairs.txt").write_text(OULU_TEXT)
    with pytest.raises(DataSetError, match=r"pairs\.txt, pair 1: the set has no photo 'P019/Fear/b\.png'\. Complete"):
        read_authors_pairs(tmp_path / "pairs.txt", PHOTOS[:2], remap=("/data/zming/Oulu", ""))


def test_a_set_is_not_paired_by_a_file_without_pairs(tmp_path):
    (tmp_path / "pairs.txt").write_text(OULU_TEXT.splitlines()[0] + "\n")
    with pytest.raises(DataSetError, match=r"pairs\.txt: it has no pair below its header\. Complete it"):
        read_authors_pairs(tmp_path / "pairs.txt", PHOTOS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2  a  b  True  3  3  -1", "7 fields; must be `No. Input_img"),
        ("2  a b  b  True  3  3  -1  True", "9 fields"),
        ("x  a  b  True  3  3  -1  True", "number must be a whole number from 0. Got 'x'"),
        ("-2  a  b  True  3  3  -1  True", "number must be a whole number from 0. Got '-2'"),
        ("2  a  b  true  3  3  -1  True", "is_same_identity must be True or False. Got 'true'"),
        ("2  a  b  True  3  3  -1  1", "is_required_expression must be True or False. Got '1'"),
        (
            "2  a  b  True  3  3  -1  False",
            "expression_actual 3, expression_required 3 and is_required_expression False contradict",
        ),
        (
            "2  a  b  True  3  5  -1  True",
            "expression_actual 3, expression_required 5 and is_required_expression True contradict",
        ),
        ("2  a  b  True  6  6  -1  True", r"expression must be one of -1\.\.5\. Got '6'"),
        ("2  a  b  True  3  3  -2  True", "expression must be one of"),
        ("2  a  b  True  x  x  -1  True", "expression must be one of"),
        ("2  a  b  True  ³  ³  -1  True", "expression must be one of"),
    ],
)
def test_wrong_line_is_named(line, message):
    with pytest.raises(DataSetError, match=rf"pairs\.txt, line 4: .*{message}"):
        _parse(f"{OULU_TEXT}{line}\n", expressions=OULU_EXPRESSIONS)


@pytest.mark.parametrize("text", ["", "0  a  b  True  3  3  -1  True", "No subject expression label image_path"])
def test_file_without_the_header_is_told(text):
    with pytest.raises(DataSetError, match=r"pairs\.txt, line 1: must be the header, `No\. Input_img"):
        _parse(text)


@pytest.mark.parametrize("old", ["/data/zming/Ou", "data", "/elsewhere", ""])
def test_path_that_is_not_below_the_old_folder_is_named(old):
    with pytest.raises(DataSetError, match=r"line 2: the photo '/data/.*' is not below"):
        _parse(OULU_TEXT, remap=(old, "new"))


@pytest.mark.parametrize("photo", ["/data/zming/Oulu/../../x", "/data/zming/Oulu/"])
def test_path_that_leaves_the_old_folder_is_named(photo):
    with pytest.raises(DataSetError, match=r"line 3: the photo .* is not below"):
        _parse(OULU_TEXT.replace("/data/zming/Oulu/P019/Fear/b.png", photo), remap=("/data/zming/Oulu/", "new"))


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("input", "a b.png", "'a b.png' is not one word"),
        ("reference", "", "'' is not one word"),
        ("input", "a\nb", "is not one word"),
        ("expression_actual", "joy", "expression 'joy' has no index; must be one of anger, disgust"),
        (
            "is_required_expression",
            True,
            "expression_actual 2, expression_required 5 and is_required_expression True contradict",
        ),
        ("number", -1, "number must be a whole number"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(column, cell, message):
    pairs = _parse(OULU_TEXT, expressions=OULU_EXPRESSIONS)
    pairs[column] = [pairs[column].iloc[0], cell]
    with pytest.raises(DataSetError, match=f"line 3: .*{re.escape(message)}"):
        format_pairs(pairs, name="pairs.txt", expressions=OULU_EXPRESSIONS)


words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
paths = st.lists(words.map(lambda word: word.replace("/", "").replace(".", "") or "x"), min_size=1, max_size=3)
folders = paths.map("/".join)
named = st.sampled_from([*OULU_EXPRESSIONS, "neutral"])


@st.composite
def _tables(draw, expressions) -> pd.DataFrame:
    rows = draw(
        st.lists(st.tuples(st.integers(0, 10**9 - 1), folders, folders, st.booleans(), *[expressions] * 3), max_size=5)
    )
    kinds = dict.fromkeys(AUTHORS_PAIRS, str) | {"number": int, "is_same_identity": bool}
    kinds["is_required_expression"] = bool
    return pd.DataFrame([(*row, row[4] == row[5]) for row in rows], columns=list(AUTHORS_PAIRS)).astype(kinds)


@settings(deadline=None)
@given(
    _tables(named),
    st.sampled_from([None, OULU_EXPRESSIONS]),
    st.none() | st.tuples(st.just(""), folders | st.just("/") | st.just("")),
)
def test_pairs_are_read_as_they_were_written(pairs, expressions, remap):
    text = format_pairs(pairs, name="pairs.txt", expressions=expressions, remap=remap)
    back = _parse(text, expressions=expressions, remap=remap and remap[::-1])
    pd.testing.assert_frame_equal(back, pairs)


@settings(deadline=None)
@given(_tables(words))
def test_pairs_of_any_expressions_are_read_as_they_were_written(pairs):
    pd.testing.assert_frame_equal(_parse(format_pairs(pairs, name="pairs.txt")), pairs)


@settings(deadline=None)
@given(st.text(max_size=80), st.booleans())
def test_any_text_is_read_or_refused(text, has_header):
    with contextlib.suppress(DataSetError):
        assert tuple(_parse(f"{HEADER}\n" * has_header + text, expressions=OULU_EXPRESSIONS).columns) == AUTHORS_PAIRS
