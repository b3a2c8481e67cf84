# cocorec in a container, without root:
#
#     docker build --tag cocorec .                                # torch for CPUs
#     docker build --tag cocorec:cuda --build-arg TORCH=cu130 .   # for NVIDIA GPUs; run with `docker run --gpus all`
#     docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/data" cocorec run
#
# The folder /data is where commands run, so that a mounted folder holds cocorec.toml, the data and artifacts/.

ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
# The build of torch: cpu, or one of PyTorch's CUDA builds.
ARG TORCH=cpu
# Extras of cocorec; `offline` has a small encoder, so that no model hub is reached.
ARG EXTRAS=offline,tune
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY cocorec_cli cocorec_cli
COPY stages stages
RUN python -m venv /usr/local/cocorec \
    && /usr/local/cocorec/bin/pip install --no-cache-dir --constraint constraints.txt \
        --extra-index-url "https://download.pytorch.org/whl/${TORCH}" ".[${EXTRAS}]"

FROM python:${PYTHON}-slim
COPY --from=build /usr/local/cocorec /usr/local/cocorec
RUN useradd --create-home --uid 1000 cocorec && install --directory --owner cocorec --group cocorec /data
# Caches of models go to a folder that any user may write, also one that docker run names with --user.
ENV PATH="/usr/local/cocorec/bin:${PATH}" HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 1000
WORKDIR /data
ENTRYPOINT ["cocorec"]
CMD ["--help"]
