"""Evaluation protocols of the data sets, by the names that the tables read."""

from cdd.data.records import RetrievalProtocol, Selection, Split

IN_SHOP_RANKS = (1, 10, 20, 30, 40, 50)
QUERY: frozenset[Split] = frozenset({"query", "validation"})
GALLERY: frozenset[Split] = frozenset({"gallery", "validation"})


def camera_rule() -> RetrievalProtocol:
    """VeRi-776's and MSMT17's rule: images of the query's identity and camera are removed.

    Validation images are queries and gallery at once; the rule removes the query itself.
    """
    return RetrievalProtocol(
        name="camera_rule",
        query=Selection(splits=QUERY),
        gallery=Selection(splits=GALLERY),
        excludes_same_camera=True,
    )


def separate_gallery() -> RetrievalProtocol:
    """In-Shop's rule: queries (camera 0) against a gallery of other images (camera 1), without exclusion."""
    return RetrievalProtocol(
        name="cross_camera",
        query=Selection(splits=QUERY, cameras=frozenset({0})),
        gallery=Selection(splits=GALLERY, cameras=frozenset({1})),
        excludes_same_camera=False,
        ranks=IN_SHOP_RANKS,
    )
