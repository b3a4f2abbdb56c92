"""The rules of one manifest line: from a JSON object to a Scenario or a Dialogue, or to problems."""

import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from pathlib import Path

from earshot.formats.dialogues import Check, Dialogue, DialogueTurn, Scenario, ScenarioTurn
from earshot.formats.fields import MAX_LABEL_CHARS, Record
from earshot.formats.links import LinkError, check_audio
from earshot.formats.problems import ProblemLog

LAST_TURN_NUMBER = 100_000
OVERLAP_TOLERANCE_SECONDS = 1e-6  # times that were added up as floats may cross by a rounding error
SCENARIO_FIELDS = frozenset({"scenario_id", "topic", "language", "roles", "turns", "check", "arc", "tags"})
SCENARIO_TURN_FIELDS = frozenset({"scenario_turn", "role", "text", "audio"})
CHECK_FIELDS = frozenset({"question", "answer"})
DIALOGUE_FIELDS = frozenset({"dialogue_id", "scenario_id", "system", "audio", "turns", "meta"})
DIALOGUE_TURN_FIELDS = frozenset({"scenario_turn", "role", "speaker", "start", "end", "text", "reasoning", "audio"})
ROLES = ("user", "assistant")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class LineRules:
    """What the rules need besides the line itself: where it stands, where audio may lie, and where problems go."""

    def __init__(self, folder: Path, allowed_hosts: Collection[str], problems: ProblemLog) -> None:
        self._folder = folder
        self._allowed_hosts = allowed_hosts
        self._problems = problems
        self._file, self._line = "", 0
        self._problems_before = 0

    def at(self, file: str, line: int) -> None:
        self._file, self._line = file, line
        self._problems_before = self._problems.count

    def report(self, field: str, message: str, remedy: str) -> None:
        self._problems.add(self._file, self._line, field, message, remedy)

    @property
    def line_is_clean(self) -> bool:
        return self._problems.count == self._problems_before

    def claim_id(self, values: dict[str, object], key: str, lines: dict[str, int]) -> bool:
        """Note which line has this id; report it and return False if an earlier line has it already."""
        identifier = values.get(key)
        if not isinstance(identifier, str):
            return True  # the line's own rules report it
        if identifier in lines:
            message = f"The id {identifier!r} stands already in line {lines[identifier]}."
            self.report(key, message, "Give each line its own id.")
            return False
        lines[identifier] = self._line
        return True

    def audio(self, record: Record) -> str | None:
        """The record's optional audio, checked: inside the folder and there, or on an allowed host."""
        audio = record.optional_text("audio")
        if audio is not None:
            try:
                check_audio(audio, self._folder, self._allowed_hosts)
            except LinkError as error:
                record.report("audio", error.message, error.remedy)
        return audio


def parse_scenario(values: dict[str, object], rules: LineRules) -> Scenario | None:
    """The scenario on this line, or None after its problems were reported."""
    record = Record(values, rules.report)
    record.close(SCENARIO_FIELDS)
    scenario = Scenario(
        scenario_id=record.identifier("scenario_id"),
        topic=record.text("topic", max_chars=MAX_LABEL_CHARS),
        language=_language(record),
        turns=tuple(_scenario_turn(turn, rules) for turn in record.records("turns")),
        roles=_roles(record),
        check=_check(record),
        arc=record.labels("arc"),
        tags=record.labels("tags"),
    )
    for earlier, later in pairwise(scenario.turns):
        if later.scenario_turn <= earlier.scenario_turn and rules.line_is_clean:
            message = f"scenario_turn {later.scenario_turn} follows {earlier.scenario_turn}."
            record.report("turns", message, "Number the turns upwards, each number once.")
    return scenario if rules.line_is_clean else None


def parse_dialogue(
    values: dict[str, object],
    rules: LineRules,
    scenarios: Mapping[str, Scenario],
    scenario_lines: Mapping[str, int],
) -> Dialogue | None:
    """The dialogue on this line, or None after its problems were reported."""
    record = Record(values, rules.report)
    record.close(DIALOGUE_FIELDS)
    dialogue = Dialogue(
        dialogue_id=record.identifier("dialogue_id"),
        scenario_id=record.identifier("scenario_id"),
        system=record.identifier("system"),
        turns=tuple(_dialogue_turn(turn, rules) for turn in record.records("turns")),
        audio=rules.audio(record),
        meta=record.free_object("meta"),
    )
    if dialogue.scenario_id and dialogue.scenario_id not in scenario_lines:
        record.report("scenario_id", f"There is no scenario {dialogue.scenario_id!r}.", "Add it to scenarios.jsonl.")
    if rules.line_is_clean:
        _check_audio_once(dialogue, record)
        _check_times(dialogue, record)
        _check_scenario_turns(dialogue, scenarios.get(dialogue.scenario_id), record)
    return dialogue if rules.line_is_clean else None


def _scenario_turn(record: Record, rules: LineRules) -> ScenarioTurn:
    record.close(SCENARIO_TURN_FIELDS)
    role = record.text("role", max_chars=MAX_LABEL_CHARS)
    if role not in ("", "user"):
        record.report("role", f"The role is {role!r}.", "A scenario holds the user's turns only: write 'user'.")
    return ScenarioTurn(
        scenario_turn=record.integer("scenario_turn", 0, LAST_TURN_NUMBER),
        text=record.text("text"),
        role="user",
        audio=rules.audio(record),
    )


def _dialogue_turn(record: Record, rules: LineRules) -> DialogueTurn:
    record.close(DIALOGUE_TURN_FIELDS)
    role = record.text("role", max_chars=MAX_LABEL_CHARS)
    if role not in ("", *ROLES):
        record.report("role", f"The role is {role!r}.", "Write 'user' or 'assistant'.")
    start, end = record.optional_seconds("start"), record.optional_seconds("end")
    if record.has("start") != record.has("end"):
        record.report(
            "end" if start is not None else "start", "Only one of start and end is given.", "Give both or neither."
        )
    elif start is not None and end is not None and start >= end:
        record.report("end", f"The turn ends at {end} s but starts at {start} s.", "Let start be before end.")
    return DialogueTurn(
        scenario_turn=record.integer("scenario_turn", 0, LAST_TURN_NUMBER),
        role=role,
        speaker=record.identifier("speaker"),
        text=record.text("text", may_be_empty=True),
        start=start,
        end=end,
        reasoning=record.optional_text("reasoning"),
        audio=rules.audio(record),
    )


def _language(record: Record) -> str:
    language = record.text("language", max_chars=35)
    if language and not _LANGUAGE.fullmatch(language):
        record.report("language", f"{language!r} is no language tag.", "Write one such as 'en' or 'de-AT' (BCP 47).")
    return language


def _roles(record: Record) -> dict[str, str]:
    roles = record.optional_record("roles")
    if roles is None:
        return {}
    roles.close(frozenset(ROLES))
    return {role: roles.text(role, max_chars=MAX_LABEL_CHARS) for role in ROLES if roles.has(role)}


def _check(record: Record) -> Check | None:
    check = record.optional_record("check")
    if check is None:
        return None
    check.close(CHECK_FIELDS)
    return Check(question=check.text("question"), answer=check.text("answer"))


def _check_audio_once(dialogue: Dialogue, record: Record) -> None:
    with_audio = sum(turn.audio is not None for turn in dialogue.turns)
    if dialogue.audio is not None and with_audio:
        message = f"There is one file for the dialogue and also audio on {with_audio} turns."
        record.report("audio", message, "Give one or the other.")
    elif dialogue.audio is None and with_audio < len(dialogue.turns):
        message = (
            f"{len(dialogue.turns) - with_audio} of {len(dialogue.turns)} turns have no audio, nor has the dialogue."
        )
        record.report("audio", message, "Give one file for the dialogue, or one for every turn.")


def _check_times(dialogue: Dialogue, record: Record) -> None:
    timed = [turn for turn in dialogue.turns if turn.start is not None]
    if timed and len(timed) < len(dialogue.turns):
        message = f"{len(dialogue.turns) - len(timed)} of {len(dialogue.turns)} turns have no start and end."
        record.report("turns", message, "Give the times of all turns or of none.")
        return
    last_end: dict[str, float] = {}
    last_start = 0.0
    for index, turn in enumerate(timed):
        start, end = turn.start or 0.0, turn.end or 0.0
        if start < last_start:
            message = f"The turn starts at {start} s, before the turn above it ({last_start} s)."
            record.report(f"turns[{index}].start", message, "Order the turns by their start.")
        elif start < last_end.get(turn.speaker, 0.0) - OVERLAP_TOLERANCE_SECONDS:
            message = f"{turn.speaker!r} starts at {start} s while still speaking until {last_end[turn.speaker]} s."
            record.report(f"turns[{index}].start", message, "Only two different speakers may overlap.")
        last_start, last_end[turn.speaker] = start, max(end, last_end.get(turn.speaker, 0.0))


def _check_scenario_turns(dialogue: Dialogue, scenario: Scenario | None, record: Record) -> None:
    """A user turn is one of the scenario's; an assistant turn answers one, or follows the last with its number + 1."""
    last = 0
    for index, turn in enumerate(dialogue.turns):
        if turn.scenario_turn < last:
            message = f"scenario_turn {turn.scenario_turn} follows {last}."
            record.report(f"turns[{index}].scenario_turn", message, "Let the numbers never fall.")
        last = max(last, turn.scenario_turn)
        if scenario is None:
            continue
        numbers = scenario.user_turn_numbers
        if turn.role == "user" and turn.scenario_turn not in numbers:
            message = f"Scenario {scenario.scenario_id!r} has no user turn {turn.scenario_turn}."
            record.report(f"turns[{index}].scenario_turn", message, "Use the number of one of its turns.")
        elif turn.role == "assistant" and turn.scenario_turn > max(numbers) + 1:
            message = (
                f"Scenario {scenario.scenario_id!r} ends with turn {max(numbers)}; this one says {turn.scenario_turn}."
            )
            record.report(f"turns[{index}].scenario_turn", message, "Use the number of the turn that it answers.")
