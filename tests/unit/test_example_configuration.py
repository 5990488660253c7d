"""systemd/fastdicom.toml: it loads, names every key, and the defaults in its comments are the defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastdicom.config import (
    Access,
    ArchiveConfig,
    Config,
    IndexConfig,
    Limits,
    LogConfig,
    NodeConfig,
    Peer,
    QueryConfig,
    RetentionConfig,
    Timeouts,
    TlsConfig,
    TranscodingConfig,
    VerifyConfig,
)
from fastdicom.settings import keys_of

EXAMPLE = Path(__file__).parents[2] / "systemd" / "fastdicom.toml"
HEADINGS = re.compile(r"^# (\[\[?(?:peers|tls|compress)\]\]?)$", re.MULTILINE)
FILES = ("node.crt", "node.key", "ca.crt", "revoked.crl", "passcodes", "pacs.secret")
COMMENTED = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)
IN_WORDS = {"grants"}  # its default cannot be written in TOML


def test_it_loads() -> None:
    config = Config.load(EXAMPLE)
    assert config == Config(bind="0.0.0.0", port=104, archive="/var/lib/fastdicom")


def test_its_comments_are_the_defaults(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("")
    text = COMMENTED.sub("", HEADINGS.sub(r"\1", EXAMPLE.read_text("utf-8"))).replace(
        'username = ""', 'username = "us"'
    )
    (tmp_path / "all.toml").write_text(text, "utf-8")
    config = Config.load(tmp_path / "all.toml")
    peer = {
        "ae_title": "PACS",
        "host": "10.0.0.5",
        "username": "us",
        "passcode_file": tmp_path / "pacs.secret",
    }
    keys = ("certificate", "key", "authorities", "revoked")
    tls = {key: tmp_path / name for key, name in zip(keys, FILES[:4], strict=True)}
    access = {"passcodes": tmp_path / "passcodes"}
    assert config == Config(
        bind="0.0.0.0",
        port=104,
        archive="/var/lib/fastdicom",
        peers=[peer],
        compress=[{"transfer_syntax": "JPEGLosslessSV1"}],
        tls={**tls, "port": 2762},
        access=access,
    )


SECTIONS = (
    NodeConfig, Timeouts, ArchiveConfig, Limits, LogConfig, IndexConfig, QueryConfig, RetentionConfig,
    TranscodingConfig, VerifyConfig, Access, Peer, TlsConfig,
)  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
def test_it_names_every_key(section: type) -> None:
    text = EXAMPLE.read_text("utf-8")
    named = {key for key in keys_of(section) if re.search(rf"^(# )?{key} = ", text, re.MULTILINE)}
    assert named == set(keys_of(section)) - IN_WORDS
