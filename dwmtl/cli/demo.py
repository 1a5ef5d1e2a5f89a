"""The command that serves a page for trying a model: `demo`."""

from typing import Annotated

import typer

from dwmtl.cli.used_model import DEFAULT_MODEL, DeviceOption, ModelOption, ThresholdOption, loaded_model


def demo(
    model: ModelOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="port of 127.0.0.1; 0: any free port")] = 7860,
    threshold: ThresholdOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Serve a local page: faces and expressions of photos or the webcam, and the challenge of an authentication.

    It listens on 127.0.0.1 only, and the page sends no requests to other hosts. Needs the extra `demo`. Ctrl+C ends it.
    """
    from dwmtl.demo.app import demo_app
    from dwmtl.demo.server import make_server, open_port

    app = demo_app(loaded_model(model, device, threshold), source=str(model or DEFAULT_MODEL))
    with open_port(port) as listening:
        print(f"open http://127.0.0.1:{listening.getsockname()[1]} (Ctrl+C ends it)", flush=True)
        make_server(app).run(sockets=[listening])
