"""Sessions of a seat hear of blocks that run in threads of nobody's."""

import gc
import weakref
from threading import Thread
from types import SimpleNamespace

import pytest

from deltadistill.blocks.seat import PerFrameSession, Seat

BLOCK, OTHER = (SimpleNamespace(name=name, teacher=lambda x: x) for name in ("part.0", "part.1"))


def elsewhere(seat):
    thread = Thread(target=seat.session_for, args=(BLOCK,))
    thread.start()
    thread.join()


def test_every_session_that_is_seated_meanwhile_is_told(caplog):
    seat, told = Seat(), []
    for inner in (False, True):
        try:
            with seat.taken_by(PerFrameSession()):
                try:
                    with seat.taken_by(PerFrameSession()):
                        elsewhere(seat)
                except RuntimeError:
                    told.append("inner")
                if inner:
                    seat.session_for(OTHER)  # the outer session has run something, so that it may be by right
        except RuntimeError:
            told.append("outer")
    assert told == ["inner", "outer", "inner"]
    assert "part.0" in caplog.text


def test_a_session_that_has_ended_is_told_nothing_and_kept_by_nobody():
    seat, session = Seat(), PerFrameSession()
    with seat.taken_by(session) as seated:
        assert seat.session_for(BLOCK) is seated
    with pytest.raises(RuntimeError, match=r"part\.0"), seat.taken_by(PerFrameSession()):
        elsewhere(seat)
    elsewhere(seat)
    gone = weakref.ref(session)
    del session, seated
    gc.collect()
    assert gone() is None
