"""Two associations joined in memory: what one sends, the other receives, cut as a test wants."""

from __future__ import annotations

from fastdicom.upperlayer.association import Association, AssociationEvent


def acceptor(now: float = 0.0, *, max_length: int = 16384, artim_s: float = 30.0) -> Association:
    return Association.accepting(65536, max_length, 1 << 20, artim_s=artim_s, closing_s=2.0, now=now)


def requestor(now: float = 0.0) -> Association:
    from fastdicom.kernels.pdu import PduReader

    reader = PduReader(65536, 16384, 1 << 20)
    return Association(reader, acceptor=False, artim_s=30.0, closing_s=2.0, now=now)


def deliver(data: bytes, to: Association, *, step: int = 0, now: float = 0.0) -> list[AssociationEvent]:
    """Hand bytes over in portions of `step` (0: as large as possible); fragments are copied."""
    events: list[AssociationEvent] = []
    while data and not to.closed:
        space = to.space()
        count = min(len(space), len(data), step or len(data))
        space[:count] = data[:count]
        data = data[count:]
        for event in to.received(count, now):
            events.append((event[0], event[1], bytes(event[2])) if isinstance(event, tuple) else event)
    return events


def exchange(
    source: Association, to: Association, *, step: int = 0, now: float = 0.0
) -> list[AssociationEvent]:
    """Everything that `source` has to say, to `to`."""
    return deliver(b"".join(source.take_outgoing()), to, step=step, now=now)
