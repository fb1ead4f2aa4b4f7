"""`--propose N`: instructions that a model writes for the stages of a search, beside those of the catalogue.

They are written by DSPy's own proposers (MIPROv2's grounded one, GEPA's reflective one) from problems of the search's
own side, checked, kept with the study, and join the categorical choice of each stage.
"""
