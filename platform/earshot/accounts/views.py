from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Each role starts where its work is."""
    return redirect("annotation:studies" if request.user.is_researcher else "annotation:work")
