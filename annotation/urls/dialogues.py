from django.urls import path

from annotation.views import dialogues, imports

urlpatterns = [
    path("dialogues/", dialogues.dialogues, name="dialogues"),
    path("dialogues/<int:pk>/", dialogues.show_dialogue, name="dialogue"),
    path("dialogues/<int:pk>/sound", dialogues.dialogue_sound, name="dialogue_sound"),
    path("dialogues/<int:pk>/peaks", dialogues.dialogue_peaks, name="dialogue_peaks"),
    path("imports/", imports.imports, name="imports"),
    path("imports/new", imports.new_import, name="new_import"),
    path("imports/<int:pk>/", imports.show_import, name="import"),
    path("systems/", dialogues.systems, name="systems"),
    path("systems/<int:pk>/edit", dialogues.edit_system, name="edit_system"),
]
