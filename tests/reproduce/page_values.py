"""A page's content given by hand: wide tables, a wide picture, everything that folds."""

from typing import Any

import pandas as pd

from reproduce.report.html_table import html_grid
from reproduce.report.images import Image
from reproduce.report.ledger_part import LedgerPart, SourceClaims
from reproduce.report.markdown import Document
from reproduce.report.pictures import Gallery, Plot, StudyPart
from reproduce.report.run_table import RunEnvironment, RunRow
from reproduce.report.sections import ReportArtifact, Section, ShownRun
from reproduce.statistics.verdicts import CODES, VERDICTS
from reproduce.tables.rendered_table import Block

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)
PICTURE = Image(PIXEL, 1400, 700)
MADE = RunEnvironment(
    "cpu", "x86_64", "2", "bfloat16", "torch 2.13.0, numpy 2.4.6, and many other packages with long names"
)


def _block(title: str, columns: int, first: str) -> Block:
    index = pd.MultiIndex.from_tuples(
        [(f"A row with a long name {row}", kind) for row in range(4) for kind in ("yours", "paper", "gap")],
        names=["Method", ""],
    )
    names = [
        (f"Protocol {place // 4}", first if place == 0 else f"column {place}") for place in range(columns)
    ]
    cells = [
        [
            VERDICTS[row % 5] if first == "verdict" and place == 0 else "−12.345 ± 0.001"
            for place in range(columns)
        ]
        for row in range(12)
    ]
    return Block(title, pd.DataFrame(cells, index=index, columns=pd.MultiIndex.from_tuples(names)))


def _exhibit(anchor: str, image: Image | None) -> ReportArtifact:
    return ReportArtifact(
        anchor=anchor,
        heading=f"Something with a rather long heading: {anchor}",
        title=f"The title of {anchor}",
        grids=(html_grid(_block("The numbers of the figure", 12, "mAP (%)")),),
        notes=("A note that is folded away. " * 9, "digest " + "0" * 64),
        image=image,
        reference_image=None,
        alt="A picture in words, which are many.",
        claims="claims-1",
        runs=(ShownRun("A run", 0, "0123456789ab"),),
        command="python -m reproduce something --scale paper --data-root DIR --seeds 0,1,2,3,4,5,6,7,8,9",
        beyond=False,
    )


DOCUMENT = Document("gallery-0123456789ab", "What a run finds", "<p>A note that is folded away.</p>")
VALUES: dict[str, Any] = {
    "title": "A page",
    "description": "Of something.",
    "scale": "mini",
    "scale_text": "small",
    "data": ["household at 32x32 (digest 734861c5d59f)"],
    "seeds": [0, 1],
    "runs": [
        RunRow(
            run_id="0123456789ab",
            what="A run = Another name of it = A third name, which is long",
            artifacts=("one", "two"),
            data="household at 32x32",
            seed=0,
            epochs=20,
            seconds=61.0,
            made=MADE,
            commit="0123456789",
        )
    ],
    "total": "0:01:01",
    "machines": [(MADE, 1, "0:01:01")],
    "verdicts": CODES,
    "counts": dict.fromkeys(VERDICTS, 3),
    "claims": [None] * 15,
    "ledger": LedgerPart(
        html_grid(_block("Verdicts", 6, "claims")),
        (SourceClaims("claims-1", "A table", "12: 3 reproduced", html_grid(_block("Claims", 7, "verdict"))),),
        ("A note that is folded away.",),
        "python -m reproduce claims",
    ),
    "sections": [
        Section("part-1", "Tables", (_exhibit("one", None),)),
        Section("part-2", "Figures", (_exhibit("two", PICTURE),)),
    ],
    "galleries": [Gallery(DOCUMENT, PICTURE, "python -m reproduce gallery 0123456789ab")],
    "studies": [
        StudyPart(
            Document("p-of-one", "A study", "<p>Trials.</p>"),
            (Plot("pareto", PICTURE, "A study"), Plot("slice", PICTURE, "A study")),
        )
    ],
    "differences": Document("DIFFERENCES", "Differences", "<p>None.</p>"),
    "command": "python -m reproduce report",
}
