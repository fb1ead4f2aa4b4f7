"""Configurations and their cost, before anything is trained."""

from __future__ import annotations

import pytest

from experiments.configuration import ConfigError, known_in
from experiments.training.__main__ import main
from experiments.training.config import CONFIGS, Config, load_config
from experiments.training.costs import costs, teacher_costs
from experiments.training.operator_sft.config import TeacherSFT
from pdr_dspy.budget import Budget
from pdr_dspy.workflow import plan


@pytest.mark.parametrize("name", known_in(CONFIGS))
def test_every_configuration_is_read_and_its_rollouts_can_be_planned(name: str) -> None:
    config = load_config(name)
    assert config.name == name
    for mode in ("trace", "operator", "distill"):
        assert plan(config.shape.workflow(mode), Budget()).steps
    assert plan(config.shape.drafts_alone(), Budget()).steps


def test_the_papers_sizes() -> None:
    config = load_config("qwen3-8b")
    stage = config.operator_rl
    assert (stage.problems, config.shape.group, config.shape.drafts, stage.updates) == (32, 32, 4, 4)
    assert stage.shares == {"trace": 0.5, "operator": 0.5}
    assert (stage.alpha, config.shape.sampling.temperature) == (0.1, 1.0)
    operator = config.shape.workflow("operator")
    assert operator.widths == (4, 32)
    assert config.shape.workflow("trace").widths == (32,)
    assert config.shape.workflow("distill").widths == (4, 1)


@pytest.mark.parametrize(
    "old, new, where",
    [
        ("micro_batch: 16", "micro_batch: none", "trace_rl.micro_batch (my.yaml, line"),
        ("shares: {trace: 1.0}", "shares: {}", "trace_rl"),
        ("shares: {trace: 1.0}", "shares: {trace: .nan}", "trace_rl"),
        ("rate: 1.0e-4", "rate: .inf", "trace_rl.rate (my.yaml, line"),
        ("{temperature: 0.6}", "{temperature: 0.0}", "shape"),
        ("{temperature: 0.6}", "{}", "shape"),
        ("{temperature: 0.6}", "{temperature: 0.6, top_p: 0.9}", "shape"),
        ("shares: {trace: 1.0}", "shares: {chain: 1.0}", "trace_rl.shares.chain (my.yaml"),
        ("group: 16", "group: 1", "shape.group (my.yaml, line"),
        ("steps: 20", "step: 20", "trace_rl.step"),
        ("policy: 1.0\n  alpha: 0.1", "policy: 0.0\n  alpha: 0.0", "trace_rl"),
        ("turns: 4", "turns: none", "operator_sft.turns (my.yaml, line 39"),
        ("turns: 4", "turn: 4", "operator_sft.turns (my.yaml"),
        ("operator: 0.5\n", "operator: 1.5\n", "operator_sft.operator (my.yaml, line"),
        ("resume: 0.22", "resumed: 0.22", "operator_sft.roles.resumed (my.yaml, line"),
        ("resume: 0.22", "resume: 0.0", "operator_sft"),
        ("lines: {3: 0.1", "lines: {9: 0.1", "operator_sft.sheets"),
        ("drafts: 12", "drafts: 1", "operator_sft.sheets.drafts (my.yaml, line"),
        ("seed: 0", "seed: 0\nseed: 1", "seed (my.yaml, line"),
    ],
)
def test_a_wrong_configuration_names_the_place(old: str, new: str, where: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = (CONFIGS / "embedded.yaml").read_text()
    assert old in text
    (tmp_path / "my.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load_config(str(tmp_path / "my.yaml"))
    assert where in str(error.value)


def small(**changes: object) -> Config:
    return load_config("embedded").model_copy(update=changes)


def test_costs_in_closed_form() -> None:
    config = load_config("embedded")
    usual = config.usual
    stage = config.operator_rl.model_copy(update={"steps": 3, "problems": 10, "updates": 2})
    found = costs(config, stage, parameters=1000)
    assert (found.groups, found.rollouts, found.updates) == (30, 30 * 16, 6)
    trace, operator = 16 * usual.trace, 4 * usual.draft + usual.distill + 16 * usual.refine
    assert found.drawn == 15 * (trace + operator)
    assert found.trained == 15 * 16 * (usual.prompt + usual.trace + usual.prompt + usual.distill + usual.refine)
    assert found.model_bytes == 1000 * (4 + 4 + 12)
    half = costs(config, stage.model_copy(update={"shares": {"trace": 1.0}}), parameters=1000)
    assert half.drawn == 30 * trace


def test_a_dry_run_tells_tokens_memory_and_hours_without_torch(capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["--config", "qwen3-8b", "--stage", "operator_rl", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "tokens" in said and "memory" in said and "hours" in said
    assert "204,800 in 6,400 groups" in said
    assert main(["--config", "embedded", "--stage", "trace_rl", "--steps", "1", "--dry-run"]) == 0
    assert "1 updates" in capsys.readouterr().out


def test_a_dry_run_of_operator_sft_by_a_teacher_and_on_rollouts(capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["--config", "embedded", "--stage", "operator_sft", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "4 turns" in said and "12.0M trained" in said and "1,024 of the training lines" in said
    assert main(["--config", "qwen3-8b", "--stage", "operator_sft", "--dry-run"]) == 0
    assert "50 rollout steps, 200 updates" in capsys.readouterr().out


def test_a_teachers_costs_in_closed_form() -> None:
    config = load_config("embedded")
    stage, usual = config.operator_sft, config.usual
    assert isinstance(stage, TeacherSFT)
    sheets = stage.sheets
    found = teacher_costs(config, stage)
    assert found.groups == 4 * 256
    assert found.drawn == 4 * 256 * (sheets.drafts * usual.draft + sheets.spaces * (usual.distill + usual.refine))
    assert found.trained == 12_000_000
    assert teacher_costs(config, stage.model_copy(update={"turns": 1})).groups == 256
    control = teacher_costs(config, stage.model_copy(update={"operator": 0.0}))
    assert (control.drawn, control.trained) == (0, 12_000_000)


@pytest.mark.parametrize("stage, option", [("operator_sft", "--steps"), ("signal", "--steps"), ("signal", "--dry-run")])
def test_what_a_stage_does_not_have_is_refused(stage: str, option: str, capsys) -> None:  # type: ignore[no-untyped-def]
    given = [option, "3"] if option == "--steps" else [option]
    assert main(["--config", "embedded", "--stage", stage, *given]) == 2
    assert option in capsys.readouterr().err


def test_sizes_that_do_not_divide_are_told_by_a_dry_run(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    text = (CONFIGS / "embedded.yaml").read_text()
    (tmp_path / "my.yaml").write_text(text.replace("micro_batch: 16", "micro_batch: 7"))
    assert main(["--config", str(tmp_path / "my.yaml"), "--stage", "trace_rl", "--dry-run"]) == 2
    assert "micro_batch" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["--steps=-1", "--steps=0", "--minutes=0", "--minutes=nan", "--groups=0", "--minutes=x"]
)
def test_numbers_of_the_command_line_are_checked(option: str, capsys) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SystemExit) as left:
        main(["--config", "embedded", "--stage", "trace_rl", option])
    assert left.value.code == 2
    assert option.partition("=")[0] in capsys.readouterr().err


def test_an_unknown_configuration_is_an_error_that_names_those_there_are(capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["--config", "qwen", "--stage", "trace_rl", "--dry-run"]) == 2
    assert "qwen3-8b" in capsys.readouterr().err
