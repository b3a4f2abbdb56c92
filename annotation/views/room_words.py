"""What the room's scripts say, in the reader's language. A script fills in what stands in {braces}."""

from django.utils.translation import gettext_lazy as _

ROOM_WORDS = {
    # Player
    "play": _("Play {letter}"),
    "pause": _("Pause {letter}"),
    "listen_to": _("Listen to {letter}"),
    "pause_side": _("Pause {letter}"),
    "clock": _("{now} of {all}"),
    "position": _("{now} of {all}, turn {turn}, {speaker}"),
    "turn": _("Turn {turn}"),
    "time_ran_out": _("Your time for this pair ran out. Press Go on first."),
    "side_locked": _("Hear {first} to its end first, then {second}."),
    "no_sound": _("The sound of {letter} does not load."),
    "press_again": _("Press Play once more: the browser waits for your click."),
    "in_order": _("The first listen goes in order. You can go back freely; ahead opens when it was heard."),
    "gate_opened": _("You heard both. The questions are open."),
    "nothing_to_submit": _("Nothing to submit yet: hear {letter} to the end first, then answer."),
    "nothing_to_submit_both": _("Nothing to submit yet: hear {first} and {second} to the end first, then answer."),
    "paused_offline": _("The sound is paused, so that nothing you hear is lost. Play on when the connection is back."),
    "signed_out": _("You are signed out."),
    "no_answer": _("The server does not answer."),
    "no_waveform": _("The waveform did not load; the sound is not touched by that. Reload the page to see it."),
    # The same turn on the other side
    "same_turn": _("{letter}, turn {turn}: the same moment of the scenario."),
    "nearest_turn": _("{letter} has no such turn. This is turn {turn}, the nearest before it."),
    "no_turn_before": _("{letter} has no such turn and none before it. This is its beginning."),
    "compare_in_order": _(
        "{letter} is on its first listen, in order: it goes on from {now}. "
        "Its turn {turn} opens when you have come to it."
    ),
    # What does not count
    "rate": _("Not counted: the sound plays at {rate} times its speed. Set it to 1."),
    "muted": _("Not counted: the sound is muted. Turn it on."),
    "silent": _("Not counted: the volume is 0. Turn it up."),
    "hidden": _("Not counted: this tab was hidden while {letter} played. Keep it in front, and hear that part again."),
    "hidden_title": _("Not counted: tab hidden"),
    "normal_speed": _("Normal speed"),
    "sound_on": _("Sound on"),
    "refused_time": _("Not counted: more was reported than time had passed. Play it again."),
    "refused_order": _("Not counted: the first listen goes in order. Play what is missing first."),
    # The gate
    "heard": _("heard"),
    # xgettext:no-python-format
    "heard_share": _("{share} % heard"),
    "share": _("{share} %"),
    "not_begun": _("not begun"),
    "moment_missing": _("a moment is missing"),
    "turn_missing": _("missing: turn {turns}"),
    "turns_missing": _("missing: turns {turns}"),
    "more_turns_missing": _("missing: turns {turns} and {more} more"),
    # Marks
    "mark_good": _("Good"),
    "mark_bad": _("Bad"),
    "make_good": _("Make it good"),
    "make_bad": _("Make it bad"),
    "mark_place": _("at {now}, {letter}, turn {turn}"),
    "mark_line": _("{polarity} at {now}, turn {turn}"),
    "mark_set": _("{polarity} mark at {now} of {letter}, turn {turn}."),
    "mark_deleted": _("The mark at {now} of {letter} is deleted. Undo brings it back."),
    "no_dimension_now": _("No dimension"),
    "mark_undone": _("The last change of the marks is undone."),
    "nothing_to_undo": _("No change of the marks to undo."),
    "mark_unheard": _("Play {letter} first: a mark is on what you heard."),
    "no_mark": _("No mark is chosen. Put one with + or -, or choose one in the list."),
    "most_marks": _("A pair has at most {most} marks. Delete some first."),
}
