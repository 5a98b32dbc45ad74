# Beagle's actors and its command line. It needs this folder, the two lock files and a package index, nothing else.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY beagle beagle
COPY bus bus
COPY actors actors
COPY config config
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim
COPY requirements-run.lock /tmp/
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements-run.lock \
    && pip install --no-cache-dir --no-deps /tmp/wheels/*.whl \
    && rm -r /tmp/wheels /tmp/requirements-run.lock \
    && useradd --system --create-home beagle \
    && install --directory --owner beagle --group beagle --mode 700 /var/lib/beagle
USER beagle
CMD ["beagle", "--help"]
