"""The page in a real browser: as wide as a phone or a desk, and on paper."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reproduce.report.templates import html_page
from tests.reproduce.page_values import VALUES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PDFTOTEXT = shutil.which("pdftotext")
PHONE, DESK = 390, 1280
WRAPPER = """<!DOCTYPE html><title>wrapper</title>
<iframe id="page" src="page.html" style="border:0;width:{width}px;height:844px"></iframe>
<script>
document.getElementById("page").onload = event => {{
  const root = event.target.contentDocument.documentElement;
  document.title = "wide " + root.scrollWidth + " of " + root.clientWidth;
}};
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"
    ),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, filled with tables and pictures that are too wide for a phone."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html_page(VALUES))
    return path


def browse(page: Path, *words: str) -> str:
    """What the browser prints; it reaches no other host."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=5000", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_but_what_may_scroll_is_wider_than_the_screen(page: Path, width: int) -> None:
    wrapper = page.with_name(f"wrapper{width}.html")
    wrapper.write_text(WRAPPER.format(width=width))
    found = re.search(r"<title>wide (\d+) of (\d+)</title>", browse(page, "--dump-dom", wrapper.as_uri()))
    assert found
    assert (int(found[1]), int(found[2])) == (width, width)


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_screen_shows_title_and_verdicts(page: Path, width: int) -> None:
    shot = page.with_name(f"shot{width}.png")
    browse(page, f"--window-size={width},844", f"--screenshot={shot}", page.as_uri())
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert pixels.shape[1] == width
    assert (pixels.sum(axis=2) < 200).mean() > 0.005, "there is dark text"
    green = (pixels[..., 1] - pixels[..., 0] > 8) & (pixels[..., 1] > 200)
    assert green.any(), "the count of what was reproduced stands on the first screen"


@pytest.mark.skipif(
    PDFTOTEXT is None, reason="pdftotext is not installed (Debian: apt-get install poppler-utils)"
)
def test_on_paper_everything_is_open(page: Path) -> None:
    pdf = page.with_suffix(".pdf")
    browse(page, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri())
    text = subprocess.run([str(PDFTOTEXT), str(pdf), "-"], capture_output=True, text=True, check=True).stdout
    for inside in ("A note that is folded away", "0123456789ab", "The numbers of the figure"):
        assert inside in text
