# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report in a real browser: it fits every width, and shows what it holds without a script."""

from __future__ import annotations

import html
import json
import re
import subprocess

import pytest
from programs import program

WIDTHS = (320, 390, 768, 1280)

# A report in frames of several widths; the page around them measures and leaves the figures in its title.
WRAPPER = """<!doctype html><title>waiting</title><body>{frames}<script>
addEventListener("load", () => {{
  document.title = "figures:" + JSON.stringify(Array.from(document.querySelectorAll("iframe"), frame => {{
    const root = frame.contentDocument.documentElement;
    return {{
      width: frame.clientWidth,
      needed: root.scrollWidth,
      rows: frame.contentDocument.querySelectorAll("h3").length,
      text: root.innerText.length,
      scripts: frame.contentDocument.scripts.length,
    }};
  }}));
}});
</script>"""


@pytest.fixture(scope="module")
def chromium():
    return program("chromium", "chromium-browser", "google-chrome", package="chromium")


def browse(chromium, directory, *arguments):
    return subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            f"--user-data-dir={directory / 'profile'}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def page(demo, new_controller):
    done = new_controller().audit(demo)
    return done.directory / "certificate_reports/report.html"


def test_no_width_needs_sideways_scrolling_and_nothing_needs_a_script(chromium, page, tmp_path):
    source = html.escape(page.read_text("utf-8"), quote=True)
    frames = "".join(f'<iframe width="{width}" height="900" srcdoc="{source}"></iframe>' for width in WIDTHS)
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(WRAPPER.format(frames=frames), "utf-8")
    dom = browse(chromium, tmp_path, "--dump-dom", "--virtual-time-budget=10000", f"file://{wrapper}")
    found = re.search(r"<title>figures:(.*?)</title>", dom)
    assert found, dom[:300]
    figures = json.loads(html.unescape(found.group(1)))
    assert len(figures) == len(WIDTHS)
    for figure in figures:
        assert figure["needed"] <= figure["width"], figure
        assert figure["scripts"] == 0
        assert figure["text"] > 5000


def test_the_page_prints_every_certificate(chromium, page, tmp_path):
    target = tmp_path / "report.pdf"
    browse(chromium, tmp_path, f"--print-to-pdf={target}", f"file://{page}")
    data = target.read_bytes()
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) >= 2
