import numpy as np
import pandas as pd

from dwmtl.report.figures import trajectory_svg


def trajectory() -> pd.DataFrame:
    names = ("weight_identity", "weight_expression", "loss_identity", "loss_expression")
    return pd.DataFrame({"step": np.arange(10), **dict.fromkeys(names, 0.5)})


def test_the_keep_loss_is_drawn_where_the_training_had_it():
    kept = trajectory().assign(keep_loss=np.linspace(0, 0.1, 10))  # 0 at first, on a logarithmic axis
    assert "keep, 1 - cos" in trajectory_svg(kept)
    assert "keep" not in trajectory_svg(trajectory())
