"""Whose work a model is and under which licence, read from the licence texts inside the archives."""

import re
from dataclasses import dataclass
from html import unescape

NOBODY = frozenset({"", "Blend Swap"})
"""What the catalogue says where it names no author."""


@dataclass(frozen=True)
class Licence:
    """A licence that permits redistribution of changed works."""

    identifier: str  # of SPDX
    url: str
    asks_for_credit: bool


ZERO = Licence("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/", False)
ATTRIBUTION_3 = Licence("CC-BY-3.0", "https://creativecommons.org/licenses/by/3.0/", True)
ATTRIBUTION_3_US = Licence("CC-BY-3.0-US", "https://creativecommons.org/licenses/by/3.0/us/", True)
ATTRIBUTION_4 = Licence("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/", True)

# ShareAlike, NonCommercial and NoDerivatives variants put a hyphen where these ask for a number.
_WORDINGS = (
    (re.compile(r"Creative Commons Zero|creativecommons\.org/(?:choose|publicdomain)/zero", re.I), ZERO),
    (
        re.compile(r"Creative Commons Attribution 3\.0 United States|/licenses/by/3\.0/us\b", re.I),
        ATTRIBUTION_3_US,
    ),
    (re.compile(r"Creative Commons Attribution 3\.0|/licenses/by/3\.0\b", re.I), ATTRIBUTION_3),
    (re.compile(r"Creative Commons Attribution 4\.0|/licenses/by/4\.0\b", re.I), ATTRIBUTION_4),
)
_TEXT = re.compile(r'downloading "(?P<title>.*?)" by (?P<author>.*?)\s*\n', re.I)
_OLD_PAGE = re.compile(r"released by (?P<author>.{1,80}?) under the following license", re.I)
_NEW_PAGE = re.compile(r"Blend #\d+: (?P<title>.*?) Released under", re.I)
_PAGE_TITLE = re.compile(
    r"(?:\| Notes)? (?P<title>[^|]*?)(?: Author:[^|]*)? VERY IMPORTANT LICENSE INFORMATION", re.I
)
_RELEASED = re.compile(r"(?:Released under|under the following license:)\s*(?P<wording>.{1,60})", re.I | re.S)
_ADDRESS = re.compile(r"https?://(?:www\.)?blendswap\.com/blends/view/(\d+)")


@dataclass(frozen=True)
class Statement:
    """What one licence text says; None where it does not say it."""

    licence: Licence | None
    author: str | None
    title: str | None
    page: str | None  # address of the original work


def licence_named(wording: str) -> Licence | None:
    """The first known licence that the wording names; None for any other, also for its stricter variants."""
    return next((licence for pattern, licence in _WORDINGS if pattern.search(wording)), None)


def harvest(text: str) -> Statement:
    """The statement of a model's own licence text, in any of the three forms that Blend Swap has used."""
    page = _ADDRESS.search(text)
    plain = _without_tags(text) if "<html" in text.lower() else text
    released = _RELEASED.search(plain)
    author = _TEXT.search(plain) or _OLD_PAGE.search(plain)
    title = _TEXT.search(plain) or _NEW_PAGE.search(plain) or _PAGE_TITLE.search(plain)
    return Statement(
        licence_named(released["wording"]) if released else None,
        author["author"].strip() if author else None,
        title["title"].strip() if title else None,
        f"https://www.blendswap.com/blend/{page[1]}" if page else None,
    )


def _without_tags(page: str) -> str:
    body = re.sub(r"<style.*?</style>|<head.*?</head>", " ", page, flags=re.S | re.I)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


@dataclass(frozen=True)
class Credit:
    """Author and licence of one model."""

    author: str
    licence: Licence
    title: str | None = None  # of the original work
    page: str | None = None
    is_own_text: bool = False  # the model's own licence text says so, not only the library's


def credit(
    library: str, creator: str, statements: list[Statement], library_licence: Licence | None
) -> Credit:
    """The author and licence of a model.

    Args:
        library: name of the archive, for libraries whose licence names the author of all models.
        creator: the catalogue's author, used where the licence texts name none.
        statements: of the licence texts in the model's own folder; they win over the library's.
        library_licence: of the library as a whole.

    Raises:
        ValueError: if the licence cannot be established, or asks to name an author who is not known.
    """
    licences = [statement.licence for statement in statements] or [library_licence]
    if None in licences:
        raise ValueError("licence not established")
    licence = max((found for found in licences if found), key=lambda found: found.asks_for_credit)
    authors = [statement.author for statement in statements if statement.author]
    known = authors or [creator if creator not in NOBODY else ""]
    author = WHOLE_LIBRARY.get(library) or ", ".join(dict.fromkeys(known))
    if not author and licence.asks_for_credit:
        raise ValueError("author not known")
    first = statements[0] if statements else None
    return Credit(
        author or "not named",
        licence,
        first.title if first else None,
        first.page if first else None,
        bool(statements),
    )


WHOLE_LIBRARY = {
    "KatorLegaz": "Andrew Kator & Jennifer Legaz",
    "Reallusion": "Reallusion",
    "Scopia": "Scopia Visual Interfaces Systems, s.l. and Emmanuel Puybaret / eTeks",
}
"""Libraries whose licence text names the author to credit for every model."""
