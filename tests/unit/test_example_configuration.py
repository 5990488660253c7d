"""systemd/fastdicom.toml: it loads, names every key, and the defaults in its comments are the defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastdicom.config import (
    Config,
    IndexConfig,
    Limits,
    LogConfig,
    NodeConfig,
    QueryConfig,
    Timeouts,
    TranscodingConfig,
)
from fastdicom.settings import keys_of

EXAMPLE = Path(__file__).parents[2] / "systemd" / "fastdicom.toml"
COMMENTED = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)


def test_it_loads() -> None:
    config = Config.load(EXAMPLE)
    assert config == Config(bind="0.0.0.0", port=104, archive="/var/lib/fastdicom")


def test_its_comments_are_the_defaults(tmp_path: Path) -> None:
    text = COMMENTED.sub("", EXAMPLE.read_text("utf-8").replace("# [[", "[["))
    (tmp_path / "all.toml").write_text(text, "utf-8")
    config = Config.load(tmp_path / "all.toml")
    rules = [{"transfer_syntax": "JPEGLosslessSV1"}]
    peer = {"ae_title": "PACS", "host": "10.0.0.5"}
    shown = Config(bind="0.0.0.0", port=104, archive="/var/lib/fastdicom", peers=[peer], compress=rules)
    assert config == shown


@pytest.mark.parametrize(
    "section", [NodeConfig, Timeouts, Limits, LogConfig, IndexConfig, QueryConfig, TranscodingConfig]
)
def test_it_names_every_key(section: type) -> None:
    text = EXAMPLE.read_text("utf-8")
    named = {key for key in keys_of(section) if re.search(rf"^(# )?{key} = ", text, re.MULTILINE)}
    assert named == set(keys_of(section))
