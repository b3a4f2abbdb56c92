from django.urls import path, register_converter

from annotation import api
from annotation.views import listening, work


class SideConverter:
    """A side of the listening room, as it is shown: left (A) or right (B)."""

    regex = "left|right"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(SideConverter, "side")

urlpatterns = [
    path("work/", work.work, name="work"),
    path("history/", work.history, name="history"),
    path("work/<int:study_id>/next", work.next_pair, name="next_pair"),
    path("work/<int:study_id>/next.json", api.next_pair, name="next_pair_data"),
    path("listen/<str:key>/", listening.room, name="room"),
    path("listen/<str:key>/skip", listening.skip, name="skip"),
    path("listen/<str:key>/undo", listening.undo, name="undo"),
    path("listen/<str:key>/<side:side>/sound", listening.lease_sound, name="lease_sound"),
    path("listen/<str:key>/<side:side>/peaks", listening.lease_peaks, name="lease_peaks"),
    path("listen/<str:key>/<side:side>/turns", api.lease_turns, name="lease_turns"),
    path("listen/<str:key>/heartbeat", api.heartbeat, name="heartbeat"),
    path("listen/<str:key>/draft", api.draft, name="draft"),
    path("listen/<str:key>/submit", api.submit, name="submit"),
    path("listen/<str:key>/ahead", api.reserve_ahead, name="reserve_ahead"),
    path("work/<int:study_id>/break", work.take_break, name="take_break"),
]
