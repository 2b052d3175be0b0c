"""A camera that speaks RTSP on this machine: MPEG-4 pictures in RTP packets over its own TCP connection."""

import re
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from fractions import Fraction

import av
import numpy as np

_CLOCK = 90_000  # ticks a second of RTP's time stamps
_KIND = 96  # of the payload, as the description says


class RtspCamera:
    """Every connection gets pictures whose level rises, `step` seconds apart, as long as it is on.

    gop: pictures from a key picture to the next.
    """

    def __init__(self, *, size=(48, 64), step=0.02, gop=5, port=0):
        self.is_on, self.sent, self.size, self.step, self.gop = True, 0, size, step, gop
        self._server = socket.create_server(("127.0.0.1", port))
        self._open = []
        self.port = self._server.getsockname()[1]
        self.address = f"rtsp://127.0.0.1:{self.port}/video"
        threading.Thread(target=self._accept, daemon=True).start()

    def off(self):
        """Hang up on everybody."""
        self.is_on = False
        for each in (self._server, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with suppress(OSError):
            while self.is_on:
                connection, _ = self._server.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with suppress(OSError), connection.makefile("rb") as lines:
            while request := _request(lines):
                method, number = request
                connection.sendall(self._answer(method, number))
                if method == "PLAY":
                    self._play(connection)

    def _answer(self, method, number):
        head = [f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1"]
        body = ""
        if method == "OPTIONS":
            head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        if method == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
                f"m=video 0 RTP/AVP {_KIND}\r\na=rtpmap:{_KIND} MP4V-ES/{_CLOCK}\r\na=control:pictures\r\n"
            )
            head += ["Content-Type: application/sdp", f"Content-Base: {self.address}/"]
        if method == "SETUP":
            head.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        return ("\r\n".join([*head, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode()

    def _play(self, connection):
        encoder = _encoder(self.size, self.gop)
        begun = time.monotonic()
        for number in range(10**6):
            if not self.is_on:
                return
            level = 20 + self.sent % 200
            self.sent += 1
            frame = av.VideoFrame.from_ndarray(np.full((*self.size, 3), level, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            for packet in encoder.encode(frame):
                ticks = int((time.monotonic() - begun) * _CLOCK)
                connection.sendall(_rtp(bytes(packet), number, ticks))
            time.sleep(self.step)


def _request(lines):
    """The method and the number of the next request; None where there is none."""
    head = b""
    while (line := lines.readline()) not in (b"\r\n", b""):
        head += line
    found = re.search(rb"^CSeq: *(\d+)", head, re.MULTILINE | re.IGNORECASE)
    return (head.split()[0].decode(), int(found[1])) if found else None


def _encoder(size, gop):
    encoder = av.CodecContext.create("mpeg4", "w")
    encoder.height, encoder.width = size
    encoder.pix_fmt, encoder.time_base, encoder.gop_size = "yuv420p", Fraction(1, 25), gop
    encoder.max_b_frames = 0
    return encoder


def _rtp(payload, number, ticks):
    """A picture as one packet, its last, on the connection's channel 0."""
    packet = struct.pack(">BBHII", 0x80, 0x80 | _KIND, number & 0xFFFF, ticks & 0xFFFFFFFF, 1) + payload
    return struct.pack(">cBH", b"$", 0, len(packet)) + packet


@contextmanager
def rtsp_camera(**options):
    """A camera that is switched off behind the block."""
    made = RtspCamera(**options)
    try:
        yield made
    finally:
        if made.is_on:
            made.off()
