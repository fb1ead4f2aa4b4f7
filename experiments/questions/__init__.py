"""The paper's four questions, one module each: `frontier`, `distillers`, `oracle`, `training`.

    python -m experiments.questions frontier        # or distillers, oracle, training, all; --help says more

The other modules are what they share: `config` and `parts` (a YAML file says what is measured), `strategies`, `choose`
and `plan` (pure), `lab` (measures, keeps every result), `markdown`, `plots`, `paper` and `report` (what is written),
`checkpoints`, `serve`, `command` and `session` (from the command line to its end).
"""
