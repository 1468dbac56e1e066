"""The page and the text of a scale: whole, alone, true to what is stored, the same for the same records."""

import html
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.registry import Summary
from experiments.schema.claim import Claim, Comparison, FinalMetric, RunRef
from experiments.schema.figure import Curve, LearningCurves
from experiments.schema.table import BEYOND, Table
from reproduce.execution.listener import Listener
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.report.build import ReportRequest, make_report
from reproduce.statistics.verdicts import EXPLANATION
from reproduce.tables.ledger_table import has_verdicts
from reproduce.tables.rendered_table import number_text
from tests.reproduce.fakes import (
    ACCURACY,
    GROUP,
    PARAMETERS,
    STUDENT,
    TEACHER,
    a_student,
    a_teacher,
    row,
    table,
)
from tests.reproduce.html_page import parsed, rows
from tests.reproduce.said import Said

NASTY = 'A <b>bold</b> "row" & more'
CURVES = LearningCurves(
    name="curves",
    title="Accuracy on a shelf",
    source=BEYOND,
    group=GROUP,
    columns=(ACCURACY,),
    curves=(Curve(label="Own", recipe=a_student), Curve(label="Other", recipe=a_teacher)),
)
OURS, THEIRS = RunRef("tiny", "Student", GROUP.title), RunRef("tiny", "Teacher", GROUP.title)
CLAIMS = (
    Claim(
        name="smaller",
        text="The student is smaller",
        source="Somebody, CONF 2023, Table 9",
        where="Section 1",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(OURS, THEIRS),),
    ),
    Claim(
        name="faster",
        text="It is <fast>",
        source="Somebody, CONF 2023, Table 9",
        where="-",
        untestable="no clock",
    ),
)
GALLERY = "# Retrieval results of Student\n\n![Results](gallery-0123456789ab-worst.png)\n\n- One note.\n"
STUDY = "# Study p\n\n| trial | p |\n| ----- | -: |\n| 1 | 0.5 |\n\n- On the front: nothing\n"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000030000000208060000009d74661a0000000049454e44ae426082"
)


@pytest.fixture
def trained(
    run: Callable[..., list[RenderedArtifact]],
    results: Path,
    tables: dict[str, Table],
    two_stores: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A scale with a table, a figure, claims, a gallery and a study."""
    found = {"tiny": table(TEACHER, STUDENT, row(NASTY, None, MP=3.5), name="tiny"), "curves": CURVES}
    monkeypatch.setattr("experiments.registry.find", found.__getitem__)
    monkeypatch.setattr("experiments.registry.summaries", lambda: [Summary(name, "", "") for name in found])
    monkeypatch.setattr("experiments.registry.check_names", lambda names, verbs=(): None)
    monkeypatch.setattr("experiments.registry.claims", lambda: CLAIMS)
    run(seeds=[0, 1])
    for folder, stem, text in (
        ("figures", "gallery-0123456789ab-worst", GALLERY),
        ("studies", "p-of-tiny", STUDY),
    ):
        place = results / "mini" / folder
        place.mkdir(exist_ok=True)
        (place / f"{stem}.md").write_text(text)
    (results / "mini" / "figures" / "gallery-0123456789ab-worst.png").write_bytes(PIXEL)
    (results / "mini" / "studies" / "p-of-tiny-history.png").write_bytes(PIXEL)
    return results


def made(results: Path) -> tuple[str, str]:
    """The page and the text."""
    request = ReportRequest(results=results, text=results.parent / "TEXT.md")
    page, text = make_report(request, Listener()).files
    return page.read_text(), text.read_text()


def test_the_page_is_whole_and_can_be_walked_through(trained: Path) -> None:
    page = parsed(made(trained)[0])
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(set(ids)) == len(ids)
    targets = [a.attributes["href"].removeprefix("#") for a in page.all("a")]
    assert targets
    assert set(targets) - set(ids) == {t for t in targets if t.startswith("https://")}
    levels = [int(element.tag[1]) for element in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    for image in page.all("img"):
        assert len(image.attributes["alt"]) > 20
        assert int(image.attributes["width"]) > 0
    for found in page.all("table"):
        assert {len(line) for line in rows(found)} == {len(rows(found)[0])}
        assert all(head.attributes["scope"] for head in found.all("th"))
    (root,) = page.all("html")
    assert root.attributes["lang"] == "en"
    assert page.all("title")[0].text == "Towards a Smaller Student, reproduced: results at the mini scale"


def test_the_page_asks_nobody_for_anything_and_needs_no_script(trained: Path) -> None:
    text = made(trained)[0]
    page = parsed(text)
    assert not page.all("script", "link", "iframe", "object", "form", "base")
    assert {image.attributes["src"].partition(",")[0] for image in page.all("img")} <= {
        "data:image/svg+xml;base64",
        "data:image/png;base64",
    }
    styles = " ".join(style.text for style in page.all("style"))
    assert "url(" not in styles
    assert "@import" not in styles
    assert not any(name.startswith("on") for element in page.all() for name in element.attributes)
    (policy,) = [m for m in page.all("meta") if "Policy" in m.attributes.get("http-equiv", "")]
    assert policy.attributes["content"].startswith("default-src 'none'; img-src data:;")


def test_verdicts_come_first_with_their_counts(trained: Path) -> None:
    page = parsed(made(trained)[0])
    counts = {item.text for item in page.all("ul")[0].all("li")}
    # Two paired seeds, each a quarter of its teacher: certain, and no size is printed.
    assert counts == {
        "1 reproduced",
        "0 direction confirmed, size differs",
        "0 inconclusive",
        "0 contradicted",
        "1 not tested",
    }
    sections = [section.attributes["id"] for section in page.all("section")]
    assert sections[0] == "verdicts"
    claims = page.named("verdicts").all("table")[1]
    assert [line[0] for line in rows(claims)[1:]] == ["The student is smaller", "It is <fast>"]
    assert [badge.text for badge in claims.all("span")] == ["reproduced", "not tested"]


def test_every_cell_of_every_sheet_stands_on_the_page(
    trained: Path, session: Callable[..., ArtifactPipeline]
) -> None:
    page = parsed(made(trained)[0])
    for name in ("tiny", "curves"):
        (drawn,) = session(name, seeds=None).show()
        own = [block for block in drawn.sheet.blocks if not has_verdicts(block)]
        tables_of = page.named(name).all("table")
        assert len(tables_of) == len(own)
        for block, found in zip(own, tables_of, strict=True):
            cells = block.frame.to_numpy().tolist()
            wanted = [[*index, *line] for index, line in zip(block.frame.index, cells, strict=True)]
            assert rows(found)[-len(wanted) :] == wanted
            assert found.all("caption")[0].text == block.title


def test_verdicts_are_said_once_and_their_table_leads_to_them(trained: Path) -> None:
    text = made(trained)[0]
    page = parsed(text)
    assert text.count("The student is smaller") == 1
    assert html.unescape(text).count(EXPLANATION) == 1
    (link,) = [a for a in page.named("tiny").all("a") if a.attributes["href"].startswith("#claims-")]
    assert "The student is smaller" in page.named(link.attributes["href"][1:]).text


def test_numbers_are_those_of_show(trained: Path) -> None:
    page = parsed(made(trained)[0])
    lines = rows(page.named("tiny").all("table")[0])
    cells = Said("show", "tiny", "--results", trained, "--format", "json").json[0]["cells"]
    columns = {"MP": 2, "mAP": 3}
    checked = 0
    for cell in (cell for cell in cells if cell["state"] == "measured"):
        (line,) = [line for line in lines if line[0] == cell["row"] and line[1].startswith("yours")]
        assert line[columns[cell["column"]]].startswith(number_text(cell["mean"], 2))
        (line,) = [line for line in lines if line[0] == cell["row"] and line[1] == "paper"]
        assert line[columns[cell["column"]]] == number_text(cell["paper"], 2)
        checked += 1
    assert checked == 4


def test_the_same_records_give_the_same_bytes_also_without_a_store(trained: Path, tmp_path: Path) -> None:
    before = made(trained)
    assert made(trained) == before
    shutil.copytree(trained / "mini", tmp_path / "clone" / "results" / "mini")
    clone = made(tmp_path / "clone" / "results")
    assert clone == before


def test_texts_are_shown_and_never_become_html(trained: Path) -> None:
    text = made(trained)[0]
    assert "<b>bold" not in text
    assert NASTY in [line[0] for line in rows(parsed(text).named("tiny").all("table")[0])]


def test_every_run_is_listed_with_its_time_and_every_number_with_its_command(trained: Path) -> None:
    page = parsed(made(trained)[0])
    machines, runs = page.named("runs").all("table")
    assert rows(machines)[1][4:6] == ["4", "0:00:24"]
    listed = {line[0]: line for line in rows(runs)[1:]}
    assert set(listed) == {maker("mini", seed).run_id for maker in (a_teacher, a_student) for seed in (0, 1)}
    student = listed[a_student("mini", 1).run_id]
    assert (student[1], student[2], student[4], student[6]) == (
        "Student = Own",
        "tiny, curves",
        "1",
        "0:00:06",
    )
    for name, command in (
        ("tiny", "python -m reproduce tiny --seeds 0,1"),
        ("gallery-0123456789ab-worst", "python -m reproduce gallery 0123456789ab --worst"),
        ("repeat", "python -m reproduce report"),
    ):
        assert page.named(name).all("code")[-1].text == command
    behind = page.named("tiny").all("details")[-1]
    assert "Student, seed 1: " + a_student("mini", 1).run_id in behind.text


def test_galleries_and_studies_are_shown_with_what_is_written_below_them(trained: Path) -> None:
    page = parsed(made(trained)[0])
    gallery, study = page.named("gallery-0123456789ab-worst"), page.named("p-of-tiny")
    assert [image.attributes["width"] for image in (*gallery.all("img"), *study.all("img"))] == ["3", "3"]
    assert "One note." in gallery.text
    assert rows(study.all("table")[0]) == [["trial", "p"], ["1", "0.5"]]


def test_what_was_not_run_is_said(results: Path, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    page, text = made(tmp_path / "empty")
    found = parsed(page)
    assert "not run" in found.named("tiny").text
    assert "0 finished" in found.all("dl")[0].text
    assert "0 runs took 0:00:00" in text


def test_the_text_has_the_challenges_parts_and_our_counts(trained: Path) -> None:
    text = made(trained)[1]
    parts = [line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")]
    assert parts[:6] == [
        "Scope of reproducibility",
        "Methodology",
        "Results",
        "What was easy",
        "What was difficult",
        "Communication with original authors",
    ]
    assert "1 reproduced; 0 direction confirmed, size differs; 0 inconclusive" in text
    assert "[report.html](results/mini/report.html)" in text
    assert "| The student is smaller | MP saved, % " in re.sub(" +", " ", text)
    assert not re.search(r"\n\n\n", text)


def test_the_command_writes_both_files_and_says_so(trained: Path, tmp_path: Path) -> None:
    page, text = tmp_path / "a" / "page.html", tmp_path / "b" / "text.md"
    words = ("report", "--results", trained, "--out", page, "--text", text)
    found = Said(*words, "--format", "json").json
    assert (found["page"], found["text"], found["runs"], found["artifacts"]) == (str(page), str(text), 4, 2)
    assert found["bytes"] == page.stat().st_size
    assert "](../a/page.html)" in text.read_text()
    said = Said(*words)
    assert "1 reproduced" in said.out
    assert str(page) in said.out
