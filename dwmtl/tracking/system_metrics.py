"""System metrics of a run, by MLflow's switch: load of CPU and GPU, memory, disk, network.

MLflow itself starts them in `mlflow.start_run` alone, which changes the global state of a process.
"""

from typing import Any

from dwmtl.tracking.server import tracking_uri


def start_monitor(client: Any, run_id: str) -> Any:
    """Start MLflow's monitor of a run, a thread; None where MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING is not set.

    Its `finish` stops it. It counts on from what the run has, since the stages of a fold share one.
    """
    from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING

    if not MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get():
        return None
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    client.update_run(run_id, status="RUNNING")  # the monitor ends with the run, and the stage before has ended it
    monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=tracking_uri())
    monitor.start()
    return monitor
