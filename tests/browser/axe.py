"""axe-core on a page of a test: what it finds against WCAG 2.2 A and AA, and against good practice."""

from pathlib import Path

AXE = (Path(__file__).parent / "vendor" / "axe" / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page, within: str = "html") -> list[str]:
    """One line per element that breaks a rule. The styles that axe itself adds are refused by the CSP: no complaint."""
    before = len(page.complaints)
    page.evaluate(AXE)
    run = "([within, tags]) => axe.run(within, {runOnly: tags}).then(result => result.violations)"
    found = page.evaluate(run, [within, TAGS])
    del page.complaints[before:]
    return [f"{rule['id']}: {node['target']} {node['html'][:160]}" for rule in found for node in rule["nodes"]]
