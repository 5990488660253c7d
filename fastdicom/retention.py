"""Retention: which studies go, and their deletion in small steps.

Studies go in the order in which they came (`index/arrivals.py`), whole, as long as a rule asks for it. Those
that are protected, or that somebody reads just now, are passed over. Nothing here waits: `step` deletes one
transaction's worth and says whether there is more to do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fastdicom.index.arrivals import ArrivedStudy
from fastdicom.keeper import ArchiveKeeper, Removal
from fastdicom.leaps import LeapWatch
from fastdicom.protection import Protected, read_protected
from fastdicom.sections.retention import RetentionConfig

log = logging.getLogger(__name__)

INSTANCES_A_STEP = 64  # one transaction: some milliseconds in which no store can commit
EARLIEST_CREDIBLE = 1704067200.0  # 2024: a clock that said less was not set
_FUTURE_S = 3600.0  # so far ahead of us a clock that was set right may have been
_STUDIES_AT_ONCE = 64


class Due(NamedTuple):
    """A study that is to go, and the rule that says so: "age", "size" or "free disk"."""

    study: ArrivedStudy
    rule: str


class Levels(NamedTuple):
    """What the rules look at: bytes of all files, bytes that are free on the file system."""

    stored: int
    free: int


class Retention:
    """The rules of one archive.

    leaps: whether the clock is to be believed; None: it is. clock: seconds since the epoch.
    """

    def __init__(
        self,
        keeper: ArchiveKeeper,
        rules: RetentionConfig,
        *,
        leaps: LeapWatch | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rules = rules
        self.deleted_studies = 0
        self.deleted_instances = 0
        self.deleted_bytes = 0
        self._keeper = keeper
        self._leaps = leaps
        self._clock = clock
        self._begun: Due | None = None  # a study that is half gone: it is finished first

    @property
    def active(self) -> bool:
        """Whether there is any rule."""
        return bool(self.rules.max_age_s or self.rules.max_size or self.rules.keep_free)

    # ------------------------------------------------------------------------------ what goes

    def plan(self) -> Iterator[Due]:
        """All that would go now, were nothing read and nothing received meanwhile: a dry run."""
        levels = self._levels()
        if not self.active:
            return
        protected = self._protected()
        for study, received in self._in_order():
            rule = self._rule(levels, received)
            if not rule:
                return
            if not protected.covers(study.patient_id, study.study_instance_uid):
                levels = Levels(levels.stored - study.length, levels.free + study.length)
                yield Due(study, rule)

    def _due(self) -> list[Due]:
        """What a step deletes from: enough studies for a transaction, without those that somebody reads."""
        found: list[Due] = []
        instances = 0
        for due in self.plan():
            with self._keeper.in_use.settled() as is_free:
                if not is_free(self._keeper.index.series_of(due.study)):
                    continue
            found.append(due)
            instances += due.study.instances
            if instances >= INSTANCES_A_STEP:
                break
        return found

    def _rest_of_begun(self) -> list[Due]:
        """A study that is half gone, unless it was protected meanwhile: then what is left of it stays."""
        begun, self._begun = self._begun, None
        if begun is None or self._protected().covers(begun.study.patient_id, begun.study.study_instance_uid):
            return []
        return [begun]

    def _rule(self, levels: Levels, received: float | None) -> str:
        """The rule that asks for a study of this time (None: not known) to go; "" for none."""
        rules = self.rules
        if rules.keep_free and levels.free < rules.keep_free:
            return "free disk"
        if rules.max_size and levels.stored > rules.max_size:
            return "size"
        if rules.max_age_s and received is not None and self._clock_is_credible():
            return "age" if received < self._clock() - rules.max_age_s else ""
        return ""

    def _clock_is_credible(self) -> bool:
        return self._leaps is None or self._leaps.settled

    def _in_order(self) -> Iterator[tuple[ArrivedStudy, float | None]]:
        """The studies as they came, each with its time.

        A time that cannot be (the clock was not set, or ran ahead) is not believed: the study is taken for
        as young as the next one, which came after it. None: there is no next one, it may be of just now.
        """
        waiting: list[ArrivedStudy] = []
        latest = self._clock() + _FUTURE_S
        for study in self._arrived():
            waiting.append(study)
            if EARLIEST_CREDIBLE <= study.received <= latest:
                yield from ((one, study.received) for one in waiting)
                waiting.clear()
        yield from ((one, None) for one in waiting)

    def _arrived(self) -> Iterator[ArrivedStudy]:
        place = b""
        while chunk := self._keeper.index.arrived(place, _STUDIES_AT_ONCE):
            yield from chunk
            place = chunk[-1].place

    def _levels(self) -> Levels:
        return Levels(self._keeper.counts().bytes, self._keeper.files.free)

    def _protected(self) -> Protected:
        """By the configuration and by `fastdicom protect`. Raises UsageError when that cannot be read."""
        rules = self.rules
        return read_protected(self._keeper.path).with_more(rules.protected_patients, rules.protected_studies)

    # ------------------------------------------------------------------------------ deleting

    def step(self) -> bool:
        """Delete some instances if a rule asks for it; True when there may be more to do at once.

        Raises Unavailable when the index cannot be written, UsageError when it is not known who is protected.
        """
        if not self.active:
            return False
        due = self._rest_of_begun() or self._due()
        if not due:
            return False
        studies = [(one.study, one.rule) for one in due]
        removals = self._keeper.remove(studies, INSTANCES_A_STEP)
        rules = {one.study.serial: one for one in due}
        for removal in removals:
            self._note(removal, rules[removal.study.serial])
        return bool(removals)

    def run(self) -> None:
        """Delete all that is due now."""
        while self.step():
            pass

    def _note(self, removal: Removal, due: Due) -> None:
        study = due.study
        self.deleted_instances += len(removal.entries)
        self.deleted_bytes += sum(entry.file.size for entry in removal.entries)
        if not removal.whole:
            self._begun = due
            return
        self.deleted_studies += 1
        log.info("retention (%s) deleted study %s, received with %d instances, %d bytes", due.rule,
                 study.study_instance_uid, study.instances, study.length)  # fmt: skip
