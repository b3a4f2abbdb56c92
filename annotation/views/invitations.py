"""Invitation links: a study's researchers make and withdraw them, and anybody may open one."""

from allauth.core import ratelimit
from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotation.forms.entry import EntryForm, InvitationForm, JoinForm
from annotation.models import Invitation
from annotation.services import invitations as services
from annotation.services import studies
from annotation.services.qualification.consent_text import text_for_reader
from annotation.views.requests import SignedInRequest
from annotation.views.studies import READ_OR_WRITE, study_for
from earshot.accounts.access import researcher_required
from earshot.accounts.models import User

BACKEND = "earshot.accounts.backends.PeopleOnly"
GONE = 410  # the link was real, and opens nothing any more


@require_http_methods(READ_OR_WRITE)
@researcher_required
def invitations(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    form = InvitationForm(request.POST or None)
    if form.is_bound and form.is_valid():
        services.make_invitation(study, by=request.user, **form.values())
        messages.success(request, _("The link is ready. Copy it below and give it to them."))
        return redirect("annotation:invitations", study.pk)
    now = timezone.now()
    links = [
        (each, each.closed_because(now), request.build_absolute_uri(each.get_absolute_url()))
        for each in study.invitations.select_related("study", "created_by")[:100]
    ]
    context = {"study": study, "form": form, "links": links, "names": services.PARTICIPANT_NAMES}
    status = 422 if form.is_bound else 200
    return render(request, "annotation/entry/invitations.html", context, status=status)


@require_POST
@researcher_required
def withdraw_invitation(request: SignedInRequest, study_id: int, invitation_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    invitation = get_object_or_404(Invitation, pk=invitation_id, study=study)
    services.withdraw_invitation(invitation, by=request.user, at=timezone.now())
    messages.success(request, _("The link opens nothing any more. Who came by it stays in the study."))
    return redirect("annotation:invitations", study.pk)


@require_http_methods(READ_OR_WRITE)
@researcher_required
def study_entry(request: SignedInRequest, study_id: int) -> HttpResponse:
    """What the study asks of people before their first pair."""
    study = study_for(request, study_id)
    form = EntryForm(request.POST or None, instance=study)
    if form.is_bound and form.is_valid():
        studies.change_study(form.instance, changed=form.changed_data, by=request.user)
        messages.success(request, _("Saved. It holds from the next pair on."))
        return redirect("annotation:study_entry", study.pk)
    context = {"study": study_for(request, study_id), "form": form, "consent_text": text_for_reader(study)}
    return render(request, "annotation/entry/settings.html", context, status=422 if form.is_bound else 200)


@never_cache
@require_http_methods(READ_OR_WRITE)
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Open an invitation: signed in, as a crowd worker with an id in the address, or as a stranger."""
    if not _may_try(request):
        wait: HttpResponse = ratelimit.respond_429(request)
        return wait
    if "\0" in token:  # PostgreSQL takes none, not even to look for
        token = ""
    invitation = get_object_or_404(Invitation.objects.select_related("study", "created_by"), token=token)
    participant = participant_in(request)
    form = JoinForm(request.POST or None) if not request.user.is_authenticated and not participant else None
    context = {"invitation": invitation, "study": invitation.study, "participant": participant, "form": form}
    if request.method == "POST" and (form is None or form.is_valid()):
        try:
            _enter(request, invitation, participant, form)
        except ValidationError as error:
            ratelimit.consume(request, action="join_refused")
            context["problem"] = " ".join(error.messages)
        else:
            return redirect("annotation:entry", invitation.study_id)
    if _is_closed_to(request, invitation, participant):
        context["reason"] = invitation.closed_because(timezone.now())
        return render(request, "annotation/entry/closed.html", context, status=GONE)
    status = 422 if request.method == "POST" else 200
    return render(request, "annotation/entry/join.html", context, status=status)


def _may_try(request: HttpRequest) -> bool:
    """Whether this address has not come too often: whoever may try without end finds ids and accounts."""
    is_refused_often = not ratelimit.consume(request, action="join_refused", dry_run=True)
    return not is_refused_often and ratelimit.consume(request, action="join")


def participant_in(request: HttpRequest) -> str:
    """The id under which a crowd site sends somebody; nothing for people with an account of their own."""
    if request.user.is_authenticated and request.user.has_usable_password():
        return ""
    sent = (request.GET.get(name, "") for name in services.PARTICIPANT_NAMES)
    return next((each.strip() for each in sent if each.strip()), "")


def _is_closed_to(request: HttpRequest, invitation: Invitation, participant: str) -> bool:
    """A closed link still opens for whoever came by it: crowd workers sign in with nothing else."""
    known = None
    if services.is_participant(participant):
        known = invitation.study.enrolments.filter(participant=participant)
    if request.user.is_authenticated and not participant:
        known = invitation.study.enrolments.filter(user=request.user.pk)
    return bool(invitation.closed_because(timezone.now())) and not (known is not None and known.exists())


def _enter(request: HttpRequest, invitation: Invitation, participant: str, form: JoinForm | None) -> None:
    now = timezone.now()
    if participant:
        user = services.join_as_participant(invitation, participant, at=now)
        if request.user == user:  # the link opened once more: another sign-in would end the session's device check
            return
        login(request, user, backend=BACKEND)
        request.session.set_expiry(0)  # until the browser closes; the link opens the same account again
    elif form is not None:
        user = services.join_with_new_account(invitation, **form.cleaned_data, at=now)
        login(request, user, backend=BACKEND)
    else:
        assert isinstance(request.user, User), "without a form somebody is signed in"
        services.join(invitation, request.user, at=now)
