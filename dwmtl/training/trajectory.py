"""The record of a training: a row per step, as `trajectory.csv` holds it."""

import math

import pandas as pd
import torch

from dwmtl.training.step import StepResult


def trajectory_row(
    result: StepResult,
    *,
    step: int,
    epoch: int,
    tasks: tuple[str, ...],
    learning_rate: float,
    weighting_learning_rate: float | None,
) -> dict[str, float]:
    """One step's row. What does not apply is NaN, an empty cell.

    step and epoch count from 0. loss_<task>, center_loss, loss_total and loss_weighting (L3) are the batch's, in nats,
    read before the step's updates; weight_<task> are the task weights as the rule gives them (most sum to 1); the
    gradient norms are global, before clipping. keep_loss, mean(1 - cos) to the start's embeddings, is there where the
    training has it; it is in no other loss.
    """
    nan = torch.tensor(math.nan)
    scalars = torch.cat(
        [
            result.task_losses,
            result.task_weights,
            torch.stack(
                [
                    (nan if value is None else value).to(result.task_losses)
                    for value in (
                        result.center_loss,
                        result.total_loss,
                        result.weighting_loss,
                        result.grad_norm,
                        result.weighting_grad_norm,
                        result.keep_loss,
                    )
                ]
            ),
        ]
    ).tolist()  # one transfer from the device
    num_tasks = len(tasks)
    center, total, weighting, grad_norm, weighting_grad_norm, keep = scalars[2 * num_tasks :]
    return {
        "step": step,
        "epoch": epoch,
        **{f"loss_{task}": scalars[i] for i, task in enumerate(tasks)},
        "center_loss": center,
        **({} if result.keep_loss is None else {"keep_loss": keep}),
        "loss_total": total,
        "loss_weighting": weighting,
        **{f"weight_{task}": scalars[num_tasks + i] for i, task in enumerate(tasks)},
        "learning_rate": learning_rate,
        "weighting_learning_rate": math.nan if weighting_learning_rate is None else weighting_learning_rate,
        "grad_norm": grad_norm,
        "weighting_grad_norm": weighting_grad_norm,
    }


def empty_trajectory(tasks: tuple[str, ...], *, has_keep_loss: bool) -> pd.DataFrame:
    """The trajectory of a training of no step: its columns."""
    nothing, zero = torch.zeros(len(tasks)), torch.tensor(0.0)
    none = StepResult(nothing, nothing, zero, zero, zero, None, None, zero if has_keep_loss else None)
    row = trajectory_row(none, step=0, epoch=0, tasks=tasks, learning_rate=0.0, weighting_learning_rate=None)
    return pd.DataFrame([row]).head(0)


def final_losses(trajectory: pd.DataFrame) -> dict[str, float]:
    """Means over the last epoch of the losses and weights, by column; of the tasks' losses, over steps with a label."""
    last = trajectory[trajectory["epoch"] == trajectory["epoch"].max()]
    beside = ("center_loss", "keep_loss")
    columns = [column for column in trajectory if column.startswith(("loss_", "weight_")) or column in beside]
    values = last[columns].copy()
    task_losses = [column.replace("weight_", "loss_", 1) for column in columns if column.startswith("weight_")]
    values[task_losses] = values[task_losses].where(values[task_losses] > 0)  # a step without a label has loss 0
    return {column: round(float(value), 6) for column, value in values.mean().items() if math.isfinite(value)}


def epoch_summary(epoch_rows: pd.DataFrame, tasks: tuple[str, ...], validation: dict[str, float]) -> str:
    """An epoch in one line of a log: mean losses (nats) and weights of the tasks, accuracy on validation subjects."""
    means = final_losses(epoch_rows)
    parts = [
        f"{task} loss {means.get(f'loss_{task}', math.nan):.3f} (weight {means.get(f'weight_{task}', math.nan):.2f})"
        for task in tasks
    ]
    if validation:
        parts.append(f"accuracy on validation subjects {validation['accuracy']:.1%}")
    return ", ".join(parts)
