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

# Likewise, but the page measures each cell of the templates, and tells what is wider than its cell.
ROWS = """<!doctype html><meta name="color-scheme" content="light dark"><title>waiting</title><body>{frames}<script>
addEventListener("load", () => {{
  document.title = "figures:" + JSON.stringify(Array.from(document.querySelectorAll("iframe"), frame => {{
    const rows = Array.from(frame.contentDocument.querySelectorAll("#templates table.templates tbody tr"));
    const cells = rows.flatMap(row => Array.from(row.children));
    return {{
      rows: rows.length,
      outside: cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.innerText.slice(0, 60)),
      dark: frame.contentWindow.matchMedia("(prefers-color-scheme:dark)").matches,
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


PLAY = """
- hosts: fe01
  gather_facts: false
  tasks:
    - winpki.keyprovider.certificate_info:
      register: audit
    - winpki.keyprovider.certificate_report:
        register: audit
        templates: "{{ forest }}"
        dest: certificate_reports
      register: report
    - ansible.builtin.assert:
        that:
          - report.template_summary.total == 30
          - report.paths['templates.csv'] is file
"""


def flag_word(*names):
    return {"value": 1, "hex": "0x00000001", "names": list(names)}


def template(number, name, category, published_on):
    """A template whose texts are as long as real ones get, or longer."""
    requirement = {
        "name": "key_provider",
        "status": "unmet" if category == "ksp" else "met",
        "expected": "Contoso RSA SChannel Cryptographic Provider",
        "actual": "Contoso Software Key Storage Provider",
        "reason": f"The template makes keys in {'_'.join(['ContosoSoftwareKeyStorageProvider'] * 4)}.",
        "remedy": "Make it a template for legacy providers.",
        "source": "https://pki.contoso.example/" + "rules/" * 30,
        "confidence": "high",
    }
    return {
        "name": f"{name}{number}",
        "display_name": f'{name} <{number}> & "{name}"',
        "dn": f"CN={name}{number},CN=Certificate Templates,CN=Public Key Services,CN=Services,DC=contoso",
        "oid": "1.3.6.1.4.1.311.21.8." + ".".join(["16777215"] * 9),
        "schema_version": 4,
        "category": category,
        "providers": ["Contoso Enhanced Cryptographic Provider v1.0", "P" * 120, "Contoso Strong Provider"],
        "any_provider": False,
        "consistent": False,
        "inconsistencies": [f"The list holds {'Contoso' * 20}, which is of the other kind."],
        "key_spec": 1,
        "minimum_key_size": 2048,
        "key_algorithm": "RSA",
        "private_key_flags": {
            **flag_word("REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM"),
            "minimum_ca": "Windows Server 2016",
            "minimum_client": "Windows 10 or Windows Server 2016",
        },
        "enrollment_flags": flag_word("PREVIOUS_APPROVAL_VALIDATE_REENROLLMENT", "0x80000000"),
        "subject_name_flags": flag_word("ENROLLEE_SUPPLIES_SUBJECT_ALT_NAME", "SUBJECT_REQUIRE_DIRECTORY_PATH"),
        "general_flags": flag_word(),
        "revision": {"major": 100, "minor": number},
        "extended_key_usage": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.4.1.311.10.3.4"],
        "application_policies": ["1.3.6.1.5.5.7.3.1"],
        "supersedes": [f"{name}Old"],
        "published_on": published_on,
        "exposures": [
            {
                "name": "ESC1",
                "certain": True,
                "principals": [{"sid": "S-1-5-21-" + "-".join(["4294967295"] * 3) + "-513", "name": "Domain Users"}],
                "reason": "Domain Users can have a certificate in the name of anyone.",
                "remedy": "Take Enroll from them.",
                "source": "https://pki.contoso.example/" + "x" * 200,
            }
        ],
        "verdict": {
            "profile": "lync_2013",
            "status": "unsuitable" if category == "ksp" else "suitable",
            "requirements": [requirement],
        },
    }


@pytest.fixture(scope="module")
def page_with_templates(demo, new_controller):
    """The page with a forest of templates, 26 of one sort offered by CAs with long names."""
    controller = new_controller()
    offered = ["CONTOSO-CORPORATE-ISSUING-CERTIFICATION-AUTHORITY-01", "Contoso CA 2"]
    templates = [
        *(template(number, "Supercalifragilistic" * 3, "ksp", offered) for number in range(26)),
        *(template(number, "東京認証局テンプレート" * 4, "csp", []) for number in range(26, 30)),
    ]
    forest = {
        "templates": templates,
        "problems": [{"origin": "dc01", "place": "CN=" + "x" * 200, "message": "Damaged.", "remedy": "Repair it."}],
        "directory": {"server": "dc01.contoso.example", "configuration": "CN=Configuration,DC=contoso,DC=example"},
        "product": "Lync Server 2013",
    }
    (controller.directory / "forest.json").write_text(json.dumps({"forest": forest}), encoding="utf-8")
    (controller.directory / "site.yml").write_text(PLAY, encoding="utf-8")
    done = controller.run("ansible-playbook", "-i", str(demo.inventory_path), "site.yml", "-e", "@forest.json")
    assert done.exit_code == 0, done.output
    return done.directory / "certificate_reports/report.html"


@pytest.mark.parametrize("which", ["page", "page_with_templates"])
def test_no_width_needs_sideways_scrolling_and_nothing_needs_a_script(chromium, which, request, tmp_path):
    text = request.getfixturevalue(which).read_text("utf-8")
    # What is folded has a width too, once it is opened.
    source = html.escape(text.replace("<details>", "<details open>"), quote=True)
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


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_templates_can_be_read_at_every_width(chromium, page_with_templates, mode, tmp_path):
    """Nothing of a row is clipped or covered: every text of it lies within its cell."""
    source = page_with_templates.read_text("utf-8").replace("<details>", "<details open>")
    frames = "".join(
        f'<iframe width="{width}" height="900" srcdoc="{html.escape(source, quote=True)}"></iframe>' for width in WIDTHS
    )
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(ROWS.format(frames=frames), "utf-8")
    setting = f"--blink-settings=preferredColorScheme={0 if mode == 'dark' else 1}"
    dom = browse(chromium, tmp_path, setting, "--dump-dom", "--virtual-time-budget=10000", f"file://{wrapper}")
    found = re.search(r"<title>figures:(.*?)</title>", dom)
    assert found, dom[:300]
    figures = json.loads(html.unescape(found.group(1)))
    assert len(figures) == len(WIDTHS)
    for figure in figures:
        assert figure["rows"] == 30
        assert figure["outside"] == []
        assert figure["dark"] is (mode == "dark")


def test_the_page_prints_every_certificate(chromium, page, tmp_path):
    target = tmp_path / "report.pdf"
    browse(chromium, tmp_path, f"--print-to-pdf={target}", f"file://{page}")
    data = target.read_bytes()
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) >= 2
