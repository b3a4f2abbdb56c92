"""python -m tests.screenshots_research OUT: pictures of every page that a researcher meets, at 1440, 768 and 360 px.

A made-up lab with a study of real size, one of people with checks, an empty and a huge one; gunicorn serves it as
`make run` does. `--world FOLDER` keeps it, so that the next run begins at once. `--guide` keeps only the pictures that
docs/researchers-guide.md names.
"""

from collections.abc import Callable
from typing import Any

from tests.screenshots_camera import Studio, run
from tests.screenshots_research_world import ResearchWorld, make_world
from tests.servers import ROOT

GUIDE = ROOT / "docs" / "researchers-guide.md"


class Desk(Studio):
    world: ResearchWorld

    def show(self, name: str, address: str, *, user: Any = None, dark: bool = False, whole: bool = True) -> None:
        """The page at this address as the researcher, or somebody else, sees it."""
        if self.camera.wants(f"research-{name}"):
            page = self.open(address, user=user)
            self.take(page, f"research-{name}", whole=whole, dark=dark)

    def open(self, address: str, *, user: Any = None) -> Any:
        page = self.page(user or self.world.researcher, address)
        page.evaluate("document.fonts.ready")
        return page


def studies(desk: Desk) -> None:
    world = desk.world
    desk.show("studies", "/studies/", dark=True)
    desk.show("studies-empty", "/studies/", user=world.newcomer)
    desk.show("study-new", "/studies/new")
    desk.show("study-new-top", "/studies/new", whole=False)
    desk.show("study", f"/studies/{world.people.pk}/", dark=True)
    desk.show("study-simulated", f"/studies/{world.crowd.pk}/")
    desk.show("study-draft", f"/studies/{world.draft.pk}/")
    desk.show("study-huge", f"/studies/{world.huge.pk}/")
    desk.show("study-settings", f"/studies/{world.people.pk}/edit")


def rubric(desk: Desk) -> None:
    draft, people = desk.world.draft, desk.world.people
    desk.show("rubric", f"/studies/{draft.pk}/rubric", dark=True)
    desk.show("rubric-top", f"/studies/{draft.pk}/rubric", whole=False)
    desk.show("rubric-fixed", f"/studies/{people.pk}/rubric")
    desk.show("examples", f"/studies/{draft.pk}/rubric/prosody/examples")
    desk.show("examples-none", f"/studies/{draft.pk}/rubric/immersion/examples")
    desk.show("languages", f"/studies/{draft.pk}/languages")


def designs(desk: Desk) -> None:
    draft = desk.world.draft
    address = f"/studies/{draft.pk}/pairs/add"
    desk.show("pairs-add", address, dark=True)
    for name, choose in (("reference", choose_reference), ("blocks", choose_blocks), ("adaptive", choose_adaptive)):
        if desk.camera.wants(f"research-pairs-{name}"):
            page = desk.open(address)
            choose(page)
            page.wait_for_timeout(1500)
            page.wait_for_load_state("networkidle")
            desk.take(page, f"research-pairs-{name}", whole=True)
    for name, study in (("pairs", desk.world.people), ("pairs-huge", desk.world.huge), ("pairs-none", draft)):
        desk.show(name, f"/studies/{study.pk}/pairs/")


def choose_reference(page: Any) -> None:
    page.locator("input[name=kind][value=reference]").check()
    page.locator("select[name=reference]").select_option(index=1)


def choose_blocks(page: Any) -> None:
    page.locator("input[name=kind][value=blocks]").check()
    page.locator("input[name=pairs_per_scenario]").fill("4")


def choose_adaptive(page: Any) -> None:
    page.locator("input[name=kind][value=adaptive]").check()


def people(desk: Desk) -> None:
    world = desk.world
    desk.show("pilot", f"/studies/{world.people.pk}/pilot")
    desk.show("people", f"/studies/{world.people.pk}/members/")
    desk.show("people-draft", f"/studies/{world.draft.pk}/members/")
    desk.show("people-huge", f"/studies/{world.huge.pk}/members/")
    desk.show("entry", f"/studies/{world.people.pk}/entry")
    desk.show("invitations", f"/studies/{world.people.pk}/invitations/")


def quality(desk: Desk) -> None:
    from django.db.models import Count

    world = desk.world
    study = world.people
    gold = study.pairs.filter(kind="gold").annotate(n_judged=Count("leases")).order_by("-n_judged", "pk")[0]
    pia = study.memberships.get(user__name="Pia Lund").user
    desk.show("checks", f"/studies/{study.pk}/checks/")
    desk.show("checks-none", f"/studies/{world.draft.pk}/checks/")
    desk.show("check", f"/studies/{study.pk}/checks/{gold.pk}/", dark=True)
    desk.show("exclusions", f"/studies/{study.pk}/raters/", dark=True)
    desk.show("exclusions-none", f"/studies/{world.draft.pk}/raters/")
    desk.show("exclusions-huge", f"/studies/{world.huge.pk}/raters/")
    desk.show("exclude", f"/studies/{study.pk}/raters/{pia.pk}/exclude")
    desk.show("adjudications", f"/studies/{study.pk}/adjudications/")
    desk.show("adjudications-top", f"/studies/{study.pk}/adjudications/", whole=False)
    desk.show("adjudications-none", f"/studies/{world.draft.pk}/adjudications/")
    desk.show("adjudications-huge", f"/studies/{world.huge.pk}/adjudications/")
    iris = study.memberships.get(user__name="Iris Moor").user
    desk.show("adjudicate", "/adjudications/", user=iris)
    desk.show("flags", f"/studies/{study.pk}/flags/")


def statistics(desk: Desk) -> None:
    from annotation.queries.statistics import SECTIONS

    world = desk.world
    for name, study in (("", world.people), ("-simulated", world.crowd), ("-huge", world.huge)):
        for section in SECTIONS:
            is_dark = name == "" and section in ("ranking", "wins", "marks")
            desk.show(f"{section}{name}", f"/studies/{study.pk}/statistics/{section}/", dark=is_dark)
    desk.show("ranking-none", f"/studies/{world.draft.pk}/statistics/ranking/")
    desk.show("alarms-none", f"/studies/{world.draft.pk}/statistics/alarms/")
    crowd = f"/studies/{world.crowd.pk}/statistics"
    desk.show("ranking-depth", f"{crowd}/ranking/?dimension=overall")
    desk.show("ranking-stratum", f"{crowd}/ranking/?stratum=group:native")
    desk.show("style-depth", f"{crowd}/style/?dimension=overall")
    if desk.camera.wants("research-ranking-numbers"):
        page = desk.open(f"{crowd}/ranking/?dimension=overall")
        page.locator("[data-plot-numbers] summary").first.click()
        desk.take(page, "research-ranking-numbers", whole=True)


def pair(desk: Desk) -> None:
    from annotation.models import Adjudication

    study = desk.world.people
    decided = Adjudication.objects.get(pair__study=study, lease__state="submitted").pair_id
    desk.show("pair", f"/studies/{study.pk}/pairs/{decided}/", dark=True)
    crowd = desk.world.crowd
    desk.show("pair-simulated", f"/studies/{crowd.pk}/pairs/{crowd.pairs.order_by('pk')[0].pk}/")


def snapshots(desk: Desk) -> None:
    study = desk.world.people
    desk.show("snapshot-new", f"/studies/{study.pk}/snapshots/new")
    desk.show("snapshots", f"/snapshots/?study={study.pk}")
    desk.show("snapshot", f"/snapshots/{study.snapshots.get().pk}/")
    desk.show("snapshot-new-none", f"/studies/{desk.world.draft.pk}/snapshots/new")


STATES: tuple[Callable[[Desk], None], ...] = (
    studies,
    rubric,
    designs,
    people,
    quality,
    statistics,
    pair,
    snapshots,
)


def main() -> None:
    run(__doc__, guide=GUIDE, make_world=lambda folder: make_world(), studio=Desk, states=STATES)


if __name__ == "__main__":
    main()
