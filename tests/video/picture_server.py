"""A camera at an address of this machine: pictures one after another over HTTP, until it is switched off."""

import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np


class Camera:
    """Every connection gets pictures whose level rises, `step` seconds apart, as long as it is on."""

    def __init__(self, *, size=(48, 64), step=0.02, port=0):
        self.is_on, self.sent, self.size, self.step = True, 0, size, step
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
                self.end_headers()
                while camera.is_on:
                    data = camera.picture()
                    head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + data + b"\r\n")
                    except OSError:
                        return
                    time.sleep(camera.step)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}/video"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def picture(self):
        level = 20 + self.sent % 200
        self.sent += 1
        return cv2.imencode(".jpg", np.full((*self.size, 3), level, np.uint8))[1].tobytes()

    def off(self):
        self.is_on = False
        self.server.shutdown()
        self.server.server_close()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def camera(**options):
    """A camera that is switched off behind the block."""
    made = Camera(**options)
    try:
        yield made
    finally:
        if made.is_on:
            made.off()


@contextmanager
def file_at_address(path):
    """A file behind an address, as web servers give it, with its length."""
    data = path.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            try:
                self.wfile.write(data[start:])
            except OSError:
                return

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/film.mp4"
    finally:
        server.shutdown()
        server.server_close()
