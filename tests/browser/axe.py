"""axe-core on a page of a test: what it finds against WCAG 2.2 A and AA, and against good practice."""

from collections.abc import Sequence
from pathlib import Path

AXE = (Path(__file__).parent / "vendor" / "axe" / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOUR = ("color-contrast", "link-in-text-block")  # the rules whose verdict can change with the colour scheme


def violations(page, within: str = "html", *, rules: Sequence[str] = ()) -> list[str]:
    """One line per element that breaks a rule. The styles that axe itself adds are refused by the CSP: no complaint.

    Args:
        rules: only these, by axe's ids; all of TAGS if left out.
    """
    before = len(page.complaints)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    run = "([within, runOnly]) => axe.run(within, {runOnly}).then(result => result.violations)"
    asked = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": TAGS}
    found = page.evaluate(run, [within, asked])
    del page.complaints[before:]
    return [f"{rule['id']}: {node['target']} {node['html'][:160]}" for rule in found for node in rule["nodes"]]
