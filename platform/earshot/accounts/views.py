"""The pages of people: users and the audit log for admins, the own profile for everybody."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from earshot.accounts import services
from earshot.accounts.access import admin_required, signed_in
from earshot.accounts.forms import NewUserForm, ProfileForm, UserForm
from earshot.accounts.models import AuditEntry, Role, User
from earshot.languages.choosing import keep_choice
from earshot.paging import page_of

UNPROCESSABLE = 422  # htmx swaps it, too: the form with its errors


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Each role starts where its work is."""
    return redirect("annotation:studies" if signed_in(request).is_researcher else "annotation:work")


@require_GET
@admin_required
def users(request: HttpRequest) -> HttpResponse:
    people = User.objects.all()
    search, role = request.GET.get("q", "").strip().replace("\0", ""), request.GET.get("role", "")
    if search:
        people = people.filter(Q(email__icontains=search) | Q(name__icontains=search))
    if role in Role.values:
        people = people.filter(role=role)
    context = {"page": page_of(request, people, "email", "pk"), "search": search, "role": role, "roles": Role.choices}
    return render(request, "accounts/users.html", context)


@require_http_methods(["GET", "POST"])
@admin_required
def add_user(request: HttpRequest) -> HttpResponse:
    form = NewUserForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = services.add_user(**form.cleaned_data, by=signed_in(request))
        return _show_invitation(request, user)
    status = UNPROCESSABLE if form.errors else 200
    return render(request, "accounts/add_user.html", {"form": form}, status=status)


@require_POST
@admin_required
def invite(request: HttpRequest, user_id: int) -> HttpResponse:
    """A new link to choose a password, for somebody who lost theirs or the mail."""
    user = get_object_or_404(User, pk=user_id, is_active=True, is_simulated=False)
    services.record_action(signed_in(request), "user.invited", user)
    return _show_invitation(request, user)


def _show_invitation(request: HttpRequest, user: User) -> HttpResponse:
    link = request.build_absolute_uri(services.invitation_path(user))
    was_sent = services.send_invitation(user, by=signed_in(request), link=link)
    context = {"person": user, "link": link, "was_sent": was_sent, "is_logged": services.mail_is_logged()}
    response = render(request, "accounts/invited.html", context)
    response["Cache-Control"] = "no-store"  # the link is shown once
    return response


@require_http_methods(["GET", "POST"])
@admin_required
def user_detail(request: HttpRequest, user_id: int) -> HttpResponse:
    user = get_object_or_404(User, pk=user_id)
    form = UserForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_user(user, **form.cleaned_data, by=signed_in(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("accounts:user", user_id=user_id)
    entries = AuditEntry.objects.filter(Q(user_id=user_id) | Q(subject=user.email)).select_related("user")[:20]
    context = {"person": User.objects.get(pk=user_id), "form": form, "entries": entries}
    return render(request, "accounts/user.html", context, status=UNPROCESSABLE if form.errors else 200)


@require_GET
@admin_required
def audit(request: HttpRequest) -> HttpResponse:
    entries = AuditEntry.objects.select_related("user")
    return render(request, "accounts/audit.html", {"page": page_of(request, entries, "-pk", size=50)})


@require_http_methods(["GET", "POST"])
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=signed_in(request).pk))
    if request.method == "POST" and form.is_valid():
        user = form.save()
        response = redirect("accounts:profile")
        if "language" in form.changed_data:
            keep_choice(user, user.language, response)
        with translation.override(user.language or translation.get_language()):  # the page that follows is in it
            messages.success(request, _("Saved."))
        return response
    return render(request, "accounts/profile.html", {"form": form}, status=UNPROCESSABLE if form.errors else 200)


@require_POST
@login_required
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    ended = services.end_sessions(signed_in(request), but=request.session.session_key)
    words = ngettext("Signed out of %(count)d other session.", "Signed out of %(count)d other sessions.", ended)
    messages.success(request, words % {"count": ended})
    return redirect("accounts:profile")
