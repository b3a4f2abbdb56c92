"""Studies and what belongs to them: their rules, rubric, people, pairs, state, copies and pilots."""

from annotation.services.studies.designs import Design, Kind, Plan, Planned, make_design, plan_design, plan_pairs
from annotation.services.studies.making import FIXED_BY_VOTES, change_study, copy_study, create_study
from annotation.services.studies.members import add_member, remove_member, set_group
from annotation.services.studies.pairs import add_pairs, common_level
from annotation.services.studies.pilots import pilot_study
from annotation.services.studies.rubric import (
    has_answers,
    refuse_rubric_change,
    save_dimensions,
    save_translations,
    texts_of,
)
from annotation.services.studies.states import TRANSITIONS, change_state

__all__ = [
    "FIXED_BY_VOTES",
    "TRANSITIONS",
    "Design",
    "Kind",
    "Plan",
    "Planned",
    "add_member",
    "add_pairs",
    "change_state",
    "change_study",
    "common_level",
    "copy_study",
    "create_study",
    "has_answers",
    "make_design",
    "pilot_study",
    "plan_design",
    "plan_pairs",
    "refuse_rubric_change",
    "remove_member",
    "save_dimensions",
    "save_translations",
    "set_group",
    "texts_of",
]
