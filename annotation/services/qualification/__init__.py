"""Who may judge: consent, a check of device and hearing, training, test pairs. See docs/becoming-an-annotator.md.

rules: the numbers · trials: what is heard and which answer is right · standing: what holds for a person now ·
attempts: taking a step · consent: agreeing and taking it back. Import the modules: leases asks `standing`, and
`consent` frees leases, so nothing is imported here.
"""
