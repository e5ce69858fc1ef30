from __future__ import annotations

import os
import signal
import threading

from train.loop.phase.interrupt import Interrupt


def test_a_signal_only_sets_the_flag_and_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        assert not interrupt.requested
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.requested
    assert signal.getsignal(signal.SIGTERM) is before


def test_it_can_be_used_outside_the_main_thread() -> None:
    entered = []

    def work() -> None:
        with Interrupt() as interrupt:
            entered.append(interrupt.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [False]
