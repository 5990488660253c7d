"""C-STORE over TLS beside plain C-STORE: what the encryption costs.

    python -m bench.tls --megabytes 512 --size 524288 --rounds 5

Two processes on this machine: a node (durability "os", so that the disk does not hide the difference) and
a sender with one association. Prints MB/s and CPU seconds per GB of both ends, plain and TLS in turn.
"""

from __future__ import annotations

import argparse
import platform
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path

from fastdicom import Tls, connect
from tests.support.certificates import Authority
from tests.support.datasets import numbered_uids, synthetic
from tests.support.part10 import join
from tests.support.procfs import cpu_seconds
from tests.support.tls_node import TlsNode, tls_node

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"


def main(arguments: list[str] | None = None) -> int:
    """Run the rounds; 0 when TLS keeps at least 65 % of the plain throughput."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=256, help="to send in each round")
    parser.add_argument("--size", type=int, default=1 << 19, help="bytes of pixels of an instance")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durability", choices=["os", "full"], default="os")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        ratio = measure(Path(name), options)
    return 0 if ratio >= 0.65 else 1


def measure(folder: Path, options: argparse.Namespace) -> float:
    """Print every round; the median of TLS over plain."""
    print(f"{platform.machine()}, Python {platform.python_version()}, {ssl.OPENSSL_VERSION}")
    authority = Authority(folder / "ca")
    pair = authority.issue("sender", rsa=True)
    tls = Tls(authorities=authority.certificate, certificate=pair.certificate, key=pair.key)
    files = make_files(folder / "files", options.megabytes << 20, options.size)
    changes = {"archive": {"durability": options.durability, "duplicates": "replace"}}
    plain: list[float] = []
    secure: list[float] = []
    with tls_node(folder / "node", authority, changes=changes) as target:
        for number in range(options.rounds + 1):
            for found, port, security in ((plain, target.node.port, None), (secure, target.port, tls)):
                speed, text = one_round(target, port, security, files)
                if number:  # the first warms
                    found.append(speed)
                    print(f"{'TLS  ' if security else 'plain'} {text}")
    ratio = statistics.median(secure) / statistics.median(plain)
    medians = f"plain {statistics.median(plain):.0f} MB/s, TLS {statistics.median(secure):.0f} MB/s"
    print(f"median: {medians}, {ratio:.0%}")
    return ratio


def make_files(folder: Path, total: int, size: int) -> Path:
    """Instances of `size` bytes of pixels, `total` in all."""
    folder.mkdir()
    for number in range(max(1, total // size)):
        uids = numbered_uids(77, number)
        data = synthetic(CT, EXPLICIT, uids, size=size)
        (folder / f"{number}.dcm").write_bytes(join(data, CT, uids.instance, EXPLICIT))
    return folder


def one_round(target: TlsNode, port: int, tls: Tls | None, files: Path) -> tuple[float, str]:
    """MB/s, and a line with the CPU seconds per GB of receiver and sender."""
    receiver, sender, started = cpu_seconds(target.node.pid), time.process_time(), time.monotonic()
    with connect("127.0.0.1", port, tls=tls) as peer:
        report = peer.store([files])
    elapsed = time.monotonic() - started
    if report.failed:
        raise SystemExit(f"failed: {report.failed[0]}")
    gigabytes = report.bytes / 1e9
    used = cpu_seconds(target.node.pid) - receiver, time.process_time() - sender
    speed = report.bytes / 1e6 / elapsed
    return (
        speed,
        f"{speed:6.0f} MB/s, CPU s/GB: receiver {used[0] / gigabytes:.2f}, sender {used[1] / gigabytes:.2f}",
    )


if __name__ == "__main__":
    sys.exit(main())
