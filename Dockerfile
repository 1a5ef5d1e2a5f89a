# dwmtl with the pipeline's programs, torch with CUDA. For the CPU alone, name PyTorch's index of such wheels:
# docker build --build-arg TORCH_INDEX=ADDRESS --tag dwmtl .
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
ARG TORCH_INDEX=
# DVC keeps experiments in git; make runs a project's verbs.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory '*'
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
RUN wheel="$(ls /wheels/*.whl)" \
    && pip install --no-cache-dir --constraint /wheels/constraints.txt \
        ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} "${wheel}[demo,onnx,pipeline]" \
    && rm -r /wheels
# A mounted folder belongs to a user of the host: docker run --user "$(id -u):$(id -g)" --volume "$PWD:/work" dwmtl ...
ENV HOME=/tmp DVC_NO_ANALYTICS=true MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /work
USER 1000:1000
CMD ["dwmtl", "--help"]
