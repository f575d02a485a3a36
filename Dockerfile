# serve.py in a container: CPU only, without root, on a read-only file system if you like. See docs/serving.md.
#
#     docker build -t herbarium-sheets .
#     docker run --rm -p 127.0.0.1:5000:5000 --read-only --tmpfs /tmp herbarium-sheets
#
# For a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126, and docker run --gpus all.
FROM python:3.12-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# Serving needs neither the annotation program nor what only training and evaluation use, and OpenCV without windows.
COPY requirements.txt ./
RUN sed -E -e '/^(labelme|tensorboard|matplotlib)[^a-z]/d' \
        -e 's/^opencv-python([^a-z-])/opencv-python-headless\1/' requirements.txt > serving.txt \
    && pip install --index-url "$TORCH_INDEX" "$(grep -E '^torch>' serving.txt)" "$(grep -E '^torchvision>' serving.txt)" \
    && pip install -r serving.txt

COPY LICENSE deeplab.py digitise.py serve.py ./
COPY nets nets
COPY utils utils
COPY model_data model_data
RUN python -m compileall -q nets utils && useradd --system --no-create-home --uid 10001 sheets

USER 10001
EXPOSE 5000
# Docker asks only whether the server answers; /health says 503 while it stops.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/health', timeout=4)"]
ENTRYPOINT ["python", "serve.py", "--host=0.0.0.0"]
