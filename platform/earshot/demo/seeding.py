"""Fill an empty installation with the demo, through the same commands that people use.

The quick part (real recordings that need no vocoder) is there when the web side opens; the rest comes by a job.
Every step can be repeated: imports know what they have, studies are found by their titles, seats run out.
"""

import io
import json
import shutil
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from earshot.accounts.models import Role, User
from earshot.demo import content
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob

KIND = "demo.seed"
N_SIMULATED_RATERS = 12
# What annotators read names no system and hints at none: a title can unblind a study.
INSTRUCTIONS = (
    "You hear two dialogues of the same scenario. Listen to both to the end, then say which one you would rather "
    "be in. "
    "There is no right answer: trust your ear."
)


def accounts_file() -> Path:
    return Path(settings.DATA_DIR) / "demo_accounts.json"


def scratch_folder() -> Path:
    return Path(settings.DATA_DIR) / "scratch" / "demo"


def seed_people() -> dict[str, str]:
    """One account for each role, as demo_accounts.json names them; what exists stays. Returns role → e-mail."""
    accounts = json.loads(accounts_file().read_text())
    for role, account in accounts.items():
        if not User.objects.filter(email=account["email"]).exists():
            User.objects.create_user(account["email"], account["password"], role=Role(role), name=f"Demo {role}")
    return {role: account["email"] for role, account in accounts.items()}


def seed_quick() -> bool:
    """People, real recordings, and a study to listen to. Returns False if the demo was seeded before."""
    people = seed_people()
    if Job.objects.filter(kind=KIND).exists():
        return False
    import_scenarios("quick", content.quick_scenario_ids())
    make_study("Everyday conversations", people, language="en")
    make_study("Six turns in German", people, language="de")
    with transaction.atomic():
        jobs.enqueue(
            KIND, {}, title="Speak the demo's dialogues", created_by=User.objects.get(email=people["researcher"])
        )
    return True


def seed_rendered(held: RunningJob) -> None:
    """The dialogues that the vocoder speaks, one scenario at a time; then a simulated study with its votes."""
    people = seed_people()
    scenarios = content.rendered_scenario_ids()
    for done, scenario in enumerate(scenarios):
        held.report(0.8 * done / len(scenarios), f"Speaking {scenario}")
        import_scenarios(scenario, [scenario])
        make_study("English conversations", people, language="en", systems=SPOKEN_SYSTEMS, entry="full")
    held.report(0.8, "Simulated raters judge")
    title = "English conversations, simulated raters"
    study = make_study(title, people, language="en", systems=SPOKEN_SYSTEMS, is_simulated=True)
    call_command(
        "simulate_judgments",
        study,
        raters=N_SIMULATED_RATERS,
        seed=1,
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )
    held.report(0.95, "Making a snapshot")
    call_command("make_snapshot", study, name="Demo snapshot", here=True, stdout=io.StringIO())
    held.result["study"] = study
    shutil.rmtree(scratch_folder())  # kept until now, so that a job that was cut off speaks nothing twice


SPOKEN_SYSTEMS = ("expressive", "flat", "broken-turn", "ill-timed")  # every English scenario has these


def import_scenarios(name: str, scenarios: list[str]) -> None:
    """Write the scenarios' manifest and import it in this process; a second time brings in nothing new."""
    folder = scratch_folder() / name
    content.build_manifest(folder, only=scenarios)
    call_command("import_dialogues", folder, here=True, if_new=True, stdout=io.StringIO(), stderr=io.StringIO())


def make_study(
    title: str,
    people: dict[str, str],
    *,
    language: str,
    systems: tuple[str, ...] = (),
    entry: str = "none",
    is_simulated: bool = False,
) -> int:
    """Make the study, or add the pairs that are new. Returns its number.

    Args:
        entry: what is asked of people beforehand; with none the demo's annotator listens at once.
    """
    told = io.StringIO()
    call_command(
        "make_study",
        title,
        instructions=INSTRUCTIONS,
        language=language,
        systems=list(systems) or None,
        researcher=[people["researcher"]],
        annotator=[] if is_simulated else [people["annotator"]],
        listening="none" if is_simulated else "enforced",
        entry=entry,
        simulated=is_simulated,
        start=True,
        stdout=told,
    )
    return int(told.getvalue().split()[0])
