"""Small files of images as they were published, and a server that has them."""

import gzip
import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from fmjax.networks import data


def idx(array):
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(12, 28, 28), dtype=np.uint8), (np.arange(12) % 10).astype(np.uint8)


def write_mnist(root, images, labels, name="mnist", prefix="train", pack=bytes, suffix=""):
    (root / name).mkdir(exist_ok=True)
    files = [root / name / f"{prefix}-{kind}-ubyte{suffix}" for kind in ("images-idx3", "labels-idx1")]
    for file, array in zip(files, (images, labels), strict=True):
        file.write_bytes(pack(idx(array)))
    return files


@pytest.fixture
def server(monkeypatch):
    """A server on loopback with small files under the names of the originals; `cut` names one that breaks off."""
    rng = np.random.default_rng(3)
    pixels, labels = rng.integers(256, size=(40, 28, 28), dtype=np.uint8), (np.arange(40) % 10).astype(np.uint8)
    files = {
        f"{prefix}-{kind}-ubyte.gz": gzip.compress(idx(array))
        for prefix in ("train", "t10k")
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels))
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = 2 * 3073
            archive.addfile(member, io.BytesIO(bytes(2 * 3073)))
    files["cifar-10-binary.tar.gz"] = packed.getvalue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.removeprefix("/")
            asked.append(name)
            self.send_response(200 if name in files else 404)
            content = files.get(name, b"")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if name in cut else content)

        def log_message(self, *arguments):
            pass

    asked, cut = [], set()
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    for name in ("mnist", "fashion-mnist", "cifar10"):
        hashes = {file: f"md5:{hashlib.md5(files[file]).hexdigest()}" for file in data.SOURCES[name].hashes}
        monkeypatch.setitem(data.SOURCES, name, data.Source("http://127.0.0.1:1/", hashes))
    try:
        yield f"http://127.0.0.1:{running.server_port}", files, cut, asked
    finally:
        running.shutdown()
        thread.join()
        running.server_close()
