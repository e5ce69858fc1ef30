"""The thread that takes pictures, answers them, and tells everybody who watches.

Nothing is computed while nobody watches. While pictures play, each gets the answer that a call of
the engine gives; while they rest, the one that is shown is explained to its last timestep.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from runtime.early_exit.settings import Overrides
from runtime.live import wire
from runtime.live.knobs import Change, Knobs
from runtime.live.side import Answer, Side
from runtime.live.sources import Item, Source
from spikehalt.errors import SpikehaltError
from spikehalt.exits import NEVER

logger = logging.getLogger(__name__)

ALL_TIMESTEPS = Overrides(policy=NEVER.name, epsilon=0.0)
_MOST_DROPPED = 16  # files that wait
_RATE_OVER = 30  # pictures

Tell = Callable[[dict[str, Any] | bytes], None]


class Show:
    """What is going on, for everybody who watches.

    Args:
        side: answers as the knobs say.
        static: answers with all timesteps; may be the same.
        source: of pictures.
        knobs: to begin with.
    """

    def __init__(self, side: Side, static: Side, source: Source, knobs: Knobs) -> None:
        self._side, self._static, self._source = side, static, source
        self._knobs = knobs
        self._changed = threading.Condition()
        self._watchers: set[Tell] = set()
        self._dropped: deque[Item] = deque(maxlen=_MOST_DROPPED)
        self._again, self._next, self._stopping = False, False, False
        self._item: Item | None = None
        self._items: Iterator[Item] | None = None
        self._index, self._error, self._due_s = 0, "", 0.0
        self._times_s: deque[float] = deque(maxlen=_RATE_OVER)
        self._thread = threading.Thread(target=self._run, name="live show", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the picture that is being answered."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def watch(self, tell: Tell) -> None:
        """Tell of everything from now on; `tell` is called in another thread."""
        with self._changed:
            self._watchers.add(tell)
            tell(self._state())
            self._again = True
            self._changed.notify_all()

    def leave(self, tell: Tell) -> None:
        """Tell no more."""
        with self._changed:
            self._watchers.discard(tell)

    def change(self, change: Change) -> None:
        """Turn a knob; acts at once.

        Raises:
            ConfigError: the bundle cannot run so.
        """
        with self._changed:
            self._set(self._knobs.changed(change, self._side.engine.manifest))
            self._next = self._next or change.ask == "next"

    def drop(self, item: Item) -> None:
        """Show a picture and rest on it."""
        with self._changed:
            self._dropped.append(item)
            self._set(replace(self._knobs, playing=False))

    def _set(self, knobs: Knobs) -> None:
        self._knobs, self._again = knobs, True
        self._tell(self._state())
        self._changed.notify_all()

    def _state(self) -> dict[str, Any]:
        knobs = self._knobs
        return {
            "kind": "state",
            "policy": knobs.policy,
            "thresholds": knobs.thresholds,
            "epsilon": knobs.epsilon,
            "max_timesteps": knobs.max_timesteps,
            "rate": knobs.rate,
            "compare": knobs.compare,
            "playing": knobs.playing,
            "source": self._source.name,
            "error": self._error,
        }

    def _tell(self, message: dict[str, Any] | bytes) -> None:
        for tell in self._watchers:
            tell(message)

    def _run(self) -> None:
        for side in {self._side, self._static}:
            side.warm_up()
        while True:
            with self._changed:
                while not (self._stopping or self._has_work()):
                    self._changed.wait(self._patience_s())
                if self._stopping:
                    return
                knobs, self._again = self._knobs, False
                dropped = self._dropped.popleft() if self._dropped else None
                advances = dropped is None and (self._next or self._is_due())
                if advances:
                    self._next, step_s = False, 1 / knobs.rate
                    self._due_s = max(self._due_s + step_s, time.perf_counter() - step_s)
            self._show(dropped, advances, knobs)

    def _has_work(self) -> bool:
        asked = self._again or self._next or self._dropped
        return bool(self._watchers and (asked or self._is_due()))

    def _is_due(self) -> bool:
        return self._knobs.playing and time.perf_counter() >= self._due_s

    def _patience_s(self) -> float | None:
        """How long nothing will happen by itself."""
        if not (self._knobs.playing and self._watchers):
            return None
        return max(self._due_s - time.perf_counter(), 0.0)

    def _show(self, dropped: Item | None, advances: bool, knobs: Knobs) -> None:
        before = self._item
        try:
            if dropped is not None:
                self._item = dropped
            elif advances or self._item is None:
                self._item = self._taken() or self._item
            if self._item is None:
                return
            self._index += dropped is not None or advances
            if advances:
                self._times_s.append(time.perf_counter())
            message, error = self._answered(self._item, knobs), ""
        except SpikehaltError as problem:
            message, error = None, str(problem)
            self._item = before if dropped is not None else self._item
        except Exception:
            logger.exception("a picture could not be shown")
            message, error = None, "the server failed; its log says why"
        with self._changed:
            fresh = advances or dropped is not None  # else what was said before still holds
            if error != self._error and (fresh or error):
                self._error = error
                self._tell(self._state())
            if message is not None:
                self._tell(message)

    def _taken(self) -> Item | None:
        """The source's next picture; where there is none, pictures rest."""
        if self._items is None:
            self._items = self._source.items()
        try:
            return next(self._items)
        except StopIteration:
            self._rest()
        except SpikehaltError:
            self._items = None  # opened anew when somebody plays again
            self._rest()
            raise
        return None

    def _rest(self) -> None:
        with self._changed:
            self._knobs = replace(self._knobs, playing=False)
            self._again = self._item is not None  # now it is explained
            self._tell(self._state())

    def _answered(self, item: Item, knobs: Knobs) -> bytes:
        data = item.data(self._side.spec)
        call = self._side.answer if knobs.playing else self._side.explained
        answers = [call(data, knobs.overrides)]
        if knobs.compare:
            answers.append(self._static_answer(item, data, knobs))
        if not knobs.playing:
            self._times_s.clear()
        head = {
            "kind": "picture",
            "index": self._index,
            "name": item.name,
            "playing": knobs.playing,
            "rate": self._rate(),
            "asked": asdict(knobs.overrides),
        }
        return wire.pack(head, item.picture(self._side.engine.manifest, data), answers)

    def _static_answer(self, item: Item, data: Any, knobs: Knobs) -> Answer:
        if self._static is not self._side:
            data = item.data(self._static.spec)
        return self._static.answer(data, ALL_TIMESTEPS)

    def _rate(self) -> float | None:
        """Pictures per second, over the last ones."""
        if len(self._times_s) < 2:
            return None
        return (len(self._times_s) - 1) / (self._times_s[-1] - self._times_s[0])
