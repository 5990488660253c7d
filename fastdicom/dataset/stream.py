"""One Data Set as it arrives: inflated where it is deflated, scanned, and in the end a record."""

from __future__ import annotations

from dataclasses import dataclass

from fastdicom.dataset.inflate import Inflater
from fastdicom.dataset.record import InstanceRecord
from fastdicom.dataset.scanned import byte_coding, record_from
from fastdicom.kernels.scan import Scanner, WantedTable
from fastdicom.standard.transfer_syntaxes import KNOWN


@dataclass(frozen=True, slots=True)
class ScanPolicy:
    """What to look for, and the ceilings. See `config.Limits`."""

    wanted: WantedTable
    depth_max: int = 64
    value_length_max: int = 64 * 1024
    element_count_max: int = 10_000_000
    inflated_length_max: int = 2 << 30
    inflate_ratio_max: int = 200
    inflate_ratio_after: int = 1 << 20


class DatasetScan:
    """Looks at one Data Set in its transfer syntax, piece by piece."""

    __slots__ = ("_inflater", "_scanner")

    def __init__(self, transfer_syntax_uid: str, policy: ScanPolicy) -> None:
        explicit_vr, big_endian = byte_coding(transfer_syntax_uid)
        self._scanner = Scanner(
            policy.wanted,
            explicit_vr,
            big_endian,
            depth_max=policy.depth_max,
            value_length_max=policy.value_length_max,
            element_count_max=policy.element_count_max,
        )
        syntax = KNOWN.get(transfer_syntax_uid)
        self._inflater = None
        if syntax is not None and syntax.deflated:
            self._inflater = Inflater(
                policy.inflated_length_max, policy.inflate_ratio_max, policy.inflate_ratio_after
            )

    def feed(self, piece: memoryview | bytes) -> None:
        """Take the next piece. Raises MalformedDataset, or Refused above a ceiling."""
        if self._inflater is None:
            self._scanner.feed(piece)
            return
        for inflated in self._inflater.feed(piece):
            self._scanner.feed(inflated)

    def finish(self, sop_class_uid: str | None, sop_instance_uid: str | None) -> InstanceRecord:
        """The record of the whole Data Set; the arguments are what the command said, None: nothing.

        Raises MalformedDataset when the Data Set is cut, Refused when it lacks or contradicts a UID.
        """
        if self._inflater is not None:
            self._inflater.finish()
        self._scanner.finish()
        return record_from(self._scanner, sop_class_uid, sop_instance_uid)
