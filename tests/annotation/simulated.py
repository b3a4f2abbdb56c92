"""A study whose systems differ by construction."""

from tests.factories import make_dialogue, make_pair, make_scenario, make_study, make_system


def make_simulated_study(n_scenarios=4, **fields):
    """Three systems in every scenario; 'good' was made better than 'fair', and 'fair' than 'poor'."""
    study = make_study(is_simulated=True, **fields)
    systems = {name: make_system(name) for name in ("good", "fair", "poor")}
    for _ in range(n_scenarios):
        scenario = make_scenario()
        spoken = [
            make_dialogue(scenario, systems[name], meta={"construction": {"prosody": worth, "immersion": worth}})
            for name, worth in (("good", 1.5), ("fair", 0.0), ("poor", -1.5))
        ]
        for one, other in ((0, 1), (2, 0), (1, 2)):
            make_pair(study, scenario=scenario, dialogue_a=spoken[one], dialogue_b=spoken[other])
    return study
