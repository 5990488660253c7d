"""What metrics and the audit trail cost: CPU of a C-STORE with and without them, and of one event.

    python -m bench.overhead [--objects N] [--rounds N] [--size BYTES]

One node in this process serves one association of a client in another; CPU is that of this process, user and
system. Variants take turns, so that a busy machine disturbs them alike; medians are printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.pool import Pool

from fastdicom import Config, Engine
from fastdicom.audit.message import Source
from fastdicom.audit.trail import Trail
from fastdicom.dataset.record import FileEntry, InstanceRecord, Put
from fastdicom.dimse.messages import CStoreRequest
from fastdicom.events import Observer, Observers
from fastdicom.monitoring.figures import Figures
from fastdicom.net.requestor import ClientAssociation
from fastdicom.services.ports import Caller

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
VARIANTS = ("nobody listens", "figures", "figures, audit")  # the middle one is every node


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--objects", type=int, default=300, help="of one association")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--size", type=int, default=16 * 1024)
    options = parser.parse_args()
    for name, nanoseconds in events().items():
        print(f"one stored event, {name}: {nanoseconds:.0f} ns")
    cpu = stores(options.objects, options.rounds, options.size)
    base = statistics.median(cpu[VARIANTS[0]])
    for name, samples in cpu.items():
        quarter, median, _ = statistics.quantiles(samples, n=4)
        print(
            f"{options.size} bytes, {name}: {median:.1f} us CPU an object (lowest {min(samples):.1f}, lowest "
            f"quarter {quarter:.1f}), {median - base:+.1f} us"
        )


def stores(objects: int, rounds: int, size: int) -> dict[str, list[float]]:
    """Microseconds of CPU an object, association by association, the variants in turn on one node."""
    cpu: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        archive = {"path": f"{folder}/archive", "durability": "os", "min_free": 0}
        audit = {"transport": "file", "file": f"{folder}/audit.log"}
        client = multiprocessing.get_context("fork").Pool(1)  # before there are threads
        with client, Engine(Config(port=0, archive=archive, audit=audit)) as engine:
            both = engine.monitor.observer
            listeners = dict(
                zip(VARIANTS, (Observer(), Observers([engine.monitor.figures]), both), strict=True)
            )
            for turn in range(rounds + 2):
                for place, (name, observer) in enumerate(listeners.items()):
                    engine.monitor.observer = engine.archive.observer = observer
                    engine._plug()  # what the next association is served with
                    used = measured(engine, client, objects, size, turn * len(VARIANTS) + place)
                    if turn > 1:  # the first warm up
                        cpu[name].append(used)
    return cpu


def events(count: int = 200_000) -> dict[str, float]:
    """Nanoseconds of one `stored` event for each kind of observer."""
    caller = Caller(1, "CT1", "NODE", "10.0.0.7", frozenset())
    record = InstanceRecord(CT, "1.2.3.4", "1.2.3", "1.2.3.5", b"x" * 80, b"", b"", b"")
    put = Put(record, FileEntry("a/1", 1, 0, 0, EXPLICIT, 0.0, "CT1"))
    figures, trail = Figures(["CT1"]), Trail(Source("NODE"), "NODE", lambda *message: None)
    observers = {
        "nobody listens": Observer(),
        "figures": figures,
        "figures, audit": Observers([figures, trail]),
    }
    found = {}
    for name, observer in observers.items():
        observer.associated(caller)
        started = time.process_time_ns()
        for _ in range(count):
            observer.stored(caller, CT, 0, put, "C", 16384, 0.004, "")
        found[name] = (time.process_time_ns() - started) / count
    return found


def measured(engine: Engine, client: Pool, objects: int, size: int, turn: int) -> float:
    """Have a client store `objects`; CPU of this process meanwhile, in us an object."""
    before = engine.archive.counts().instances
    started = time.process_time()
    client.apply(send, (*engine.addresses[0], objects, size, turn))
    used = time.process_time() - started
    stored = engine.archive.counts().instances - before
    if stored != objects:
        raise RuntimeError(f"{stored} of {objects} objects were stored")
    return used / objects * 1e6


def send(host: str, port: int, objects: int, size: int, turn: int) -> None:
    """The client: one association, one object at a time."""
    proposals = [(CT, (EXPLICIT,))]
    association = ClientAssociation.open(host, port, called="NODE", calling="CT1", proposals=proposals)
    for number in range(objects):
        uid = f"1.2.826.0.1.3680043.10.1561.9.{turn + 1}.{number + 1}"
        request = CStoreRequest(number % 65535 + 1, CT, uid)
        association.send_store(1, request, [dataset(uid, size)])
        response = association.store_response([request.message_id])
        if response.status:
            raise RuntimeError(f"{response.status:04X}H {response.comment}")
    association.release()


def dataset(uid: str, size: int) -> bytes:
    """An instance in Explicit VR Little Endian with `size` bytes of pixels."""
    study = uid.rsplit(".", 1)[0]
    values = [
        (0x00080016, b"UI", CT), (0x00080018, b"UI", uid), (0x00080020, b"DA", "20240131"),
        (0x00080050, b"SH", "A1"), (0x00080060, b"CS", "CT"), (0x00100010, b"PN", "Doe^Jane"),
        (0x00100020, b"LO", "P1"), (0x0020000D, b"UI", study), (0x0020000E, b"UI", study + ".1"),
    ]  # fmt: skip
    head = b"".join(_element(tag, vr, value.encode()) for tag, vr, value in values)
    return head + b"\xe0\x7f\x10\0OW\0\0" + size.to_bytes(4, "little") + bytes(size)


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    group, number = (tag >> 16).to_bytes(2, "little"), (tag & 0xFFFF).to_bytes(2, "little")
    return group + number + vr + len(value).to_bytes(2, "little") + value


if __name__ == "__main__":
    main()
