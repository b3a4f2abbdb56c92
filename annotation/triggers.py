"""What no single row can promise, the database keeps by triggers: on SQLite and on PostgreSQL alike.

SQLite rebuilds a table to change its constraints, and loses or trips over triggers then. So a migration that changes
a table named here begins with `migrations.RunPython(remove, create)` and ends with `migrations.RunPython(create,
remove)`; tests/annotation/test_invariants.py fails where that was forgotten.
"""

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# name: (table, when, condition that must never hold for the NEW row, message)
RULES = {
    "pair_within_one_scenario": (
        "annotation_pair",
        "INSERT OR UPDATE",
        """EXISTS (SELECT 1 FROM annotation_dialogue d
                   WHERE d.id IN (NEW.dialogue_a_id, NEW.dialogue_b_id) AND d.scenario_id <> NEW.scenario_id)""",
        "both dialogues of a pair must be of its scenario",
    ),
    "turn_inside_audio": (
        "annotation_turn",
        "INSERT OR UPDATE",
        'NEW."end" > (SELECT d.seconds + 0.05 FROM annotation_dialogue d WHERE d.id = NEW.dialogue_id)',
        "a turn must end inside the audio of its dialogue",
    ),
    "rubric_with_votes_is_fixed": (
        "annotation_dimension",
        "UPDATE",
        "EXISTS (SELECT 1 FROM annotation_score s WHERE s.dimension_id = NEW.id)",
        "a dimension with scores cannot change; copy the study",
    ),
    "snapshot_is_immutable": (
        "annotation_snapshot",
        "UPDATE",
        "NEW.content_id <> OLD.content_id OR NEW.archive_sha256 <> OLD.archive_sha256",
        "a snapshot cannot change; make a new one",
    ),
}


def create(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for name, (table, when, forbidden, message) in RULES.items():
        if schema_editor.connection.vendor == "postgresql":
            check = f"IF {forbidden} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END IF;"
            schema_editor.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {check} RETURN NEW; END $$"
            )
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
            )
            continue
        for event in when.split(" OR "):
            schema_editor.execute(
                f"CREATE TRIGGER {name}_{event.lower()} BEFORE {event} ON {table} FOR EACH ROW WHEN {forbidden} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for name, (table, when, *_rest) in RULES.items():
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}()")
            continue
        for event in when.split(" OR "):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}_{event.lower()}")
