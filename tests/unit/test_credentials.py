"""The node's TLS files while it runs: reloaded, watched, and warned of before they end."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from fastdicom import Config, ConnectionLost, Engine, Tls, TlsError, UsageError, connect
from fastdicom.config import TlsConfig
from fastdicom.credentials import Credentials
from tests.support.certificates import Authority, Pair

DAY = 86400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("credentials") / "ca")


def section(folder: Path, authority: Authority, pair: Pair, **more: object) -> TlsConfig:
    for name, source in (("node.crt", pair.certificate), ("node.key", pair.key)):
        (folder / name).write_bytes(source.read_bytes())
    files = {"certificate": folder / "node.crt", "key": folder / "node.key"}
    return TlsConfig(**files, authorities=authority.certificate, **more)  # type: ignore[arg-type]


def test_the_end_of_a_certificate_is_warned_of_once_a_day(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = Credentials(section(tmp_path, authority, authority.issue("soon", days=31)))
    now = time.time()
    assert 30.9 < credentials.days_left(now)["certificate"] < 31.1
    credentials.look_after(now)
    assert not caplog.records
    for seconds in (2 * DAY, 2 * DAY + 60, 2.5 * DAY, 3 * DAY + 1):
        credentials.look_after(now + seconds)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "our certificate expires in 29 days" in caplog.text
    assert list(credentials.warnings(now + 2 * DAY)) == ["certificate"] and not credentials.warnings(now)
    credentials.look_after(now + 40 * DAY)
    assert caplog.records[-1].levelno == logging.ERROR and "expired 9 days ago" in caplog.text


def test_revocation_lists_have_an_end_too(tmp_path: Path, authority: Authority) -> None:
    crl = authority.revocation_list(days=3)
    credentials = Credentials(section(tmp_path, authority, authority.issue("node"), revoked=crl))
    assert 2.9 < credentials.days_left()["revoked"] < 3.1


def test_changed_files_are_taken_over_once_they_have_settled(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    credentials = Credentials(section(tmp_path, authority, authority.issue("first", days=100)))
    before = credentials.server()
    newer = authority.issue("second", days=200)
    (tmp_path / "node.crt").write_bytes(newer.certificate.read_bytes())
    credentials.look_after()  # the key is still to come
    assert credentials.server() is before
    (tmp_path / "node.key").write_bytes(newer.key.read_bytes())
    credentials.look_after()
    credentials.look_after()
    assert credentials.server() is not before and credentials.days_left()["certificate"] > 190
    assert "loaded again" in caplog.text


def test_files_that_do_not_work_are_named_and_the_old_ones_stay(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = Credentials(section(tmp_path, authority, authority.issue("good")))
    before = credentials.server()
    (tmp_path / "node.key").write_text("")
    for _ in range(5):
        credentials.look_after()
    assert credentials.server() is before
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "tls.key: " in caplog.text and "node.key: cannot be used" in caplog.text
    assert "stays in force" in caplog.text


def test_a_context_is_used_for_a_limited_number_of_handshakes(tmp_path: Path, authority: Authority) -> None:
    credentials = Credentials(section(tmp_path, authority, authority.issue("many")))
    assert len({id(credentials.server()) for _ in range(1500)}) == 2


def test_a_node_without_a_port_for_tls_speaks_nothing_else(tmp_path: Path, authority: Authority) -> None:
    pair, ours = authority.issue("only"), authority.issue("ours")
    config = Config(port=0, archive=tmp_path / "archive", tls=section(tmp_path, authority, pair))
    with Engine(config) as engine:
        assert engine.addresses == engine.tls_addresses
        tls = Tls(authorities=authority.certificate, certificate=ours.certificate, key=ours.key)
        with connect(*engine.addresses[0], tls=tls) as peer:
            peer.echo()
        with pytest.raises(ConnectionLost, match="TLS"):
            connect(*engine.addresses[0])
        assert engine.status()["tls"]["certificate_days_left"] > 300
        assert engine.certificate_days()["certificate"] > 300


def test_a_reload_with_files_that_do_not_work_changes_nothing(tmp_path: Path, authority: Authority) -> None:
    pair, ours = authority.issue("running"), authority.issue("client")
    config = Config(port=0, archive=tmp_path / "archive", tls=section(tmp_path, authority, pair))
    tls = Tls(authorities=authority.certificate, certificate=ours.certificate, key=ours.key)
    with Engine(config) as engine:
        wrong = tmp_path / "wrong.key"
        wrong.write_text("no key")
        changed = config.with_changes(tls={"key": wrong}, timeouts={"idle": 7})
        with pytest.raises(UsageError, match=r"tls.key: .*wrong.key"):
            engine.reload(changed)
        assert engine.config.timeouts.idle_s == 60
        with connect(*engine.addresses[0], tls=tls) as peer:
            peer.echo()
        other = Authority(tmp_path / "other", "Other CA")
        assert engine.reload(config.with_changes(tls={"authorities": other.certificate})) == []
        with pytest.raises(TlsError, match="does not trust"):
            connect(*engine.addresses[0], tls=tls)
        for _ in range(2):  # as long as it is not in force
            assert engine.reload(config.with_changes(tls={"port": 0})) == ["tls.port"]
