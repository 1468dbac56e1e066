"""Each wording leads to its licence, and what is not understood takes no part."""

import pytest

from tools.household.licences import (
    ATTRIBUTION_3,
    ATTRIBUTION_3_US,
    ATTRIBUTION_4,
    WHOLE_LIBRARY,
    ZERO,
    Statement,
    credit,
    harvest,
    licence_named,
)

TEXT = """Thank you for downloading "Five Rocks" by Ten Bones
Modified by a third person
Released under
Creative Commons Attribution 3.0
Downloaded from http://www.blendswap.com/blends/view/67011
"""
OLD_PAGE = """<html><head><title>Not this</title></head><body>Notes | Old Chair Author: x
VERY IMPORTANT LICENSE INFORMATION: this blend has been released by <b>Grace &amp; Co</b> under the following
license: <a>Creative Commons Zero (Public Domain)</a> http://blendswap.com/blends/view/12</body></html>"""
NEW_PAGE = """<!DOCTYPE html><html lang="en"><head><style>a {}</style></head><body><h1>
<a href="http://www.blendswap.com/blends/view/93285">Blend #93285: Coffee Brewer</a></h1>
<h3>Released under
<a href="https://creativecommons.org/licenses/by/4.0/">Creative Commons Attribution 4.0</a></h3>
</body></html>"""


@pytest.mark.parametrize(
    ("wording", "licence"),
    [
        ("Creative Commons Zero (Public Domain)", ZERO),
        ("http://creativecommons.org/choose/zero/", ZERO),
        ("https://creativecommons.org/publicdomain/zero/1.0/", ZERO),
        ("the creative commons attribution 3.0\nlicense:", ATTRIBUTION_3),
        ("http://creativecommons.org/licenses/by/3.0/", ATTRIBUTION_3),
        ("Creative Commons Attribution 3.0 Unported license", ATTRIBUTION_3),
        ("Creative Commons Attribution 3.0 United States license", ATTRIBUTION_3_US),
        ("http://creativecommons.org/licenses/by/3.0/us/", ATTRIBUTION_3_US),
        ("Creative Commons Attribution 4.0 International", ATTRIBUTION_4),
    ],
)
def test_each_wording_names_its_licence(wording, licence):
    assert licence_named(wording) == licence


@pytest.mark.parametrize(
    "wording",
    [
        "",
        "All rights reserved",
        "Creative Commons Attribution-ShareAlike 3.0",
        "Creative Commons Attribution-NonCommercial 3.0",
        "Creative Commons Attribution-NoDerivs 4.0",
        "http://creativecommons.org/licenses/by-nc/3.0/",
        "http://creativecommons.org/licenses/by-sa/4.0/",
        "Creative Commons Attribution 2.0",
        "GNU General Public License 3.0",
    ],
)
def test_stricter_and_unknown_licences_are_not_taken_for_known_ones(wording):
    assert licence_named(wording) is None


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        (TEXT, Statement(ATTRIBUTION_3, "Ten Bones", "Five Rocks", "https://www.blendswap.com/blend/67011")),
        (OLD_PAGE, Statement(ZERO, "Grace & Co", "Old Chair", "https://www.blendswap.com/blend/12")),
        (
            NEW_PAGE,
            Statement(ATTRIBUTION_4, None, "Coffee Brewer", "https://www.blendswap.com/blend/93285"),
        ),
        ("How to open the file", Statement(None, None, None, None)),
    ],
    ids=["text", "old page", "new page", "no licence"],
)
def test_each_form_of_licence_text_is_understood(text, statement):
    assert harvest(text) == statement


def statement(licence=ATTRIBUTION_3, author=None):
    return Statement(licence, author, None, None)


def test_the_models_own_text_wins_over_catalogue_and_library():
    found = credit("Shop", "Ada", [statement(ATTRIBUTION_4, "Grace")], ZERO)
    assert (found.author, found.licence, found.is_own_text) == ("Grace", ATTRIBUTION_4, True)


def test_without_an_own_text_the_librarys_licence_and_the_catalogues_author_hold():
    found = credit("Shop", "Ada", [], ATTRIBUTION_3)
    assert (found.author, found.licence, found.is_own_text) == ("Ada", ATTRIBUTION_3, False)


def test_of_several_texts_all_authors_are_named_once_and_the_licence_that_asks_for_credit_holds():
    found = credit("Shop", "", [statement(ZERO, "A"), statement(author="B"), statement(author="A")], ZERO)
    assert (found.author, found.licence) == ("A, B", ATTRIBUTION_3)


@pytest.mark.parametrize("library", WHOLE_LIBRARY)
def test_a_library_of_one_author_credits_that_author(library):
    assert credit(library, "someone", [], ATTRIBUTION_3).author == WHOLE_LIBRARY[library]


@pytest.mark.parametrize("statements", [[], [statement(None)], [statement(), statement(None)]])
def test_a_model_without_an_established_licence_is_refused(statements):
    library_licence = ATTRIBUTION_3 if statements else None
    with pytest.raises(ValueError, match="licence not established"):
        credit("Shop", "Ada", statements, library_licence)


@pytest.mark.parametrize("creator", ["", "Blend Swap"])
def test_an_unnamed_author_is_refused_only_where_the_licence_asks_for_one(creator):
    assert credit("Shop", creator, [], ZERO).author == "not named"
    with pytest.raises(ValueError, match="author not known"):
        credit("Shop", creator, [], ATTRIBUTION_3)
