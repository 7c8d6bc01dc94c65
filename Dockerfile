# Two stages: build the wheel with the page inside, then only what runs. The same image runs `run`, `api`, `migrate`, `edge`.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY setup/bootstrap.lock setup/demo.lock setup/
RUN pip install --no-cache-dir --require-hashes -r setup/bootstrap.lock
COPY setup/run.lock setup/edge.lock setup/dev.lock setup/
RUN python -m venv /opt/fabriquay \
 && uv pip install --no-cache --python /opt/fabriquay/bin/python --require-hashes -r setup/run.lock -r setup/edge.lock
COPY . .
RUN uv venv /build-env && uv pip install --no-cache --python /build-env/bin/python --require-hashes -r setup/demo.lock \
 && uv pip install --no-cache --python /build-env/bin/python build==1.6.1 \
 && /build-env/bin/python -m build --wheel --no-isolation \
 && uv pip install --no-cache --python /opt/fabriquay/bin/python --no-deps dist/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home /var/lib/fabriquay --create-home fabriquay
COPY --from=build /opt/fabriquay /opt/fabriquay
ENV PATH=/opt/fabriquay/bin:$PATH PYTHONUNBUFFERED=1 FABRIQUAY_STATE_DIR=/var/lib/fabriquay
# The compiled kernels outlive a restart of the container.
ENV NUMBA_CACHE_DIR=/var/lib/fabriquay/numba
USER fabriquay
WORKDIR /var/lib/fabriquay
VOLUME /var/lib/fabriquay
ENTRYPOINT ["twin"]
CMD ["--help"]
