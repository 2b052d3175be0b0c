"""Motion vectors of pictures that no file has any of: they are encoded here, as a camera's encoder would."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from torch import Tensor

from deltadistill.motion.codec_vectors import motion_of

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

_OPTIONS = {"preset": "veryfast", "tune": "zerolatency", "bframes": "0", "refs": "1", "g": "100000"}
_FRAME_SECONDS = Fraction(1, 25)  # of no meaning to the vectors; an encoder wants one


class EncodedVectors:
    """One stream of pictures through H.264 (x264, veryfast, one reference, no B-frames) and back."""

    def __init__(self) -> None:
        self._codecs: tuple[VideoCodecContext, VideoCodecContext] | None = None

    def motion(self, picture: Tensor) -> Tensor | None:
        """Backward motion since the picture before, as `motion_of` has it; None for the first one.

        picture: uint8 RGB (3, H, W), sides even. ValueError for odd ones, which no encoder takes.
        """
        import av

        if self._codecs is None:
            self._codecs = _encoder(*picture.shape[1:]), _decoder()
        encoder, decoder = self._codecs
        frame = av.VideoFrame.from_ndarray(picture.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
        packets = encoder.encode(frame.reformat(format="yuv420p"))
        decoded = [each for packet in packets for each in decoder.decode(packet)]
        assert len(decoded) == 1, "the encoder and the decoder answer at once"
        return motion_of(decoded[0])


def _encoder(height: int, width: int) -> VideoCodecContext:
    if height % 2 or width % 2:
        raise ValueError(
            f"a picture of {height} x {width} pixels cannot be encoded: its sides must be even; "
            "motion: flow takes any"
        )
    from av.codec.context import CodecContext

    made = CodecContext.create("libx264", "w")
    made.width, made.height, made.pix_fmt = width, height, "yuv420p"
    made.time_base, made.options, made.thread_count = _FRAME_SECONDS, _OPTIONS, 1
    return made


def _decoder() -> VideoCodecContext:
    from av.codec.context import CodecContext, Flags, Flags2

    made = CodecContext.create("h264", "r")
    made.flags |= Flags.low_delay
    made.flags2 |= Flags2.export_mvs
    made.thread_count = 1
    return made
