# dwmtl with the pipeline's programs. For the CPU; with CUDA 13: docker build --build-arg TORCH=cu130 --tag dwmtl .
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
ARG TORCH=cpu
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
        --extra-index-url "https://download.pytorch.org/whl/${TORCH}" "${wheel}[demo,onnx,pipeline]" \
    && rm -r /wheels
# A mounted folder belongs to a user of the host: docker run --user "$(id -u):$(id -g)" --volume "$PWD:/work" dwmtl ...
ENV HOME=/tmp DVC_NO_ANALYTICS=true MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /work
USER 1000:1000
CMD ["dwmtl", "--help"]
