"""What is left when the service goes. The last file of this folder: it takes the service away."""

from __future__ import annotations

import json

import pytest

from tests.systemd.container import ENVIRONMENT
from tests.systemd.node import ARCHIVE, CONFIG, LOGS, Node

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(1200)]


def test_uninstall_leaves_archive_configuration_and_audit_trail(node: Node) -> None:
    said = json.loads(
        node.container.run(f"{ENVIRONMENT}/bin/fastdicom", "uninstall-service", "--json").stdout
    )
    kept = {action["subject"] for action in said["actions"] if action["what"] == "kept"}
    assert kept == {CONFIG, ARCHIVE, LOGS}
    assert node.container.run("systemctl", "cat", "fastdicom", check=False).returncode != 0
    assert (node.container.root / ARCHIVE.lstrip("/") / "index").is_dir()
    with pytest.raises(AssertionError):
        node.container.run("pgrep", "-u", "fastdicom")
