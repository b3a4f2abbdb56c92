"""What a study does: it is a draft, runs, pauses, is finished, and can be reopened."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.models import Study
from annotation.services import checks
from earshot.accounts.models import User
from earshot.accounts.services import record_action

TRANSITIONS = {
    Study.State.RUNNING: {Study.State.DRAFT, Study.State.PAUSED},
    # A finished study is reopened as a paused one, so that nothing is lent before somebody looked at it.
    Study.State.PAUSED: {Study.State.RUNNING, Study.State.FINISHED},
    Study.State.FINISHED: {Study.State.RUNNING, Study.State.PAUSED},
}


@transaction.atomic
def change_state(study: Study, state: str, *, by: User | None) -> None:
    """Start, pause, finish or reopen. `study` has its state anew from the database, also when the change is refused.

    Raises:
        ValidationError: if the study is not in a state from which that is possible, or starts without pairs.
    """
    study.refresh_from_db(fields=["state"], from_queryset=Study.objects.select_for_update())
    if study.state not in TRANSITIONS.get(Study.State(state), set()):
        raise ValidationError(
            _("Study '%(study)s' is %(now)s and cannot become %(state)s.")
            % {"study": study, "now": study.get_state_display(), "state": Study.State(state).label}
        )
    if state == Study.State.RUNNING and not study.pairs.exists():
        raise ValidationError(_("Study '%(study)s' has no pairs yet. Add pairs, then start it.") % {"study": study})
    action = "study.reopened" if study.state == Study.State.FINISHED else f"study.{state}"
    study.state, study.stopped_because = state, ""
    study.save(update_fields=["state", "stopped_because"])
    record_action(by, action, study)
    if state == Study.State.RUNNING:
        checks.request_at_start(study, by=by)
