"""Which pair is lent next, to whom, and when it is enough. docs/queue.md says why.

choosing: which regular pair · posterior: what the votes say so far · interleaving: when a check comes · sides: what
goes left and is heard first · limits: quotas and budgets · agreeing: when a pair has votes enough · stopping: what a
vote may end, and when the study knows enough · seats: how many raters a pair still wants. Import the modules: leases
asks them, and nothing is imported here.
"""
