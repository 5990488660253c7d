"""The configuration: every key has a default, takes units, and every mistake is named with key and line."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fastdicom.config import Access, Config, ConfigError, Limits, LogConfig, NodeConfig, Peer, Timeouts
from fastdicom.errors import UsageError
from fastdicom.settings import SECONDS_MAX

INTERFACE_EXAMPLE = """
[node]
ae_title = "GATEWAY"
bind = "0.0.0.0"                # or "::" for both families; a list is allowed
port = 11112                    # 0 takes a free port and prints it
max_associations = 200
max_pdu_length = "256 KiB"      # what we announce; 0 = unlimited is understood from peers
check_called_ae_title = false
preferred_transfer_syntaxes = ["ImplicitVRLittleEndian"]   # order in which the acceptor chooses

[timeouts]
artim = "30 s"
idle = "60 s"                   # an established association that says nothing
connect = "10 s"
response = "60 s"

[archive]
path = "/var/lib/fastdicom"
durability = "full"
duplicates = "keep"
min_free = "1 GiB"

[access]
unknown_peers = ["echo", "store"]

[[peers]]
ae_title = "PACS"
host = "10.0.0.5"
port = 104
allow = ["echo", "store", "find", "move", "get"]
transfer_syntaxes = []

[log]
level = "INFO"
format = "text"
patient_data = false
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, "utf-8")
    return path


def mistakes_of(folder: Path, text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(ConfigError) as caught:
        Config.load(write(folder, text))
    return [(mistake.line, mistake.key, mistake.message) for mistake in caught.value.mistakes]


def test_the_documented_example_loads(tmp_path: Path) -> None:
    config = Config.load(write(tmp_path, INTERFACE_EXAMPLE))
    assert config.node == NodeConfig(ae_title="GATEWAY", bind=("0.0.0.0",))
    assert config.timeouts == Timeouts()
    assert config.archive.path == Path("/var/lib/fastdicom")
    assert config.archive.min_free == 1 << 30
    assert config.access == Access(unknown_peers=("echo", "store"))
    assert config.peers == (Peer(ae_title="PACS", host="10.0.0.5"),)
    assert config.log == LogConfig()


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    config = Config.load(write(tmp_path, ""))
    assert config == Config()
    assert (config.node.ae_title, config.node.bind, config.node.port) == ("FASTDICOM", ("127.0.0.1",), 11112)
    assert config.archive.path == Path("fastdicom-archive")
    assert config.tls is None and config.peers == ()


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ("4096", 4096),
        ('"4096"', 4096),
        ('"16 KiB"', 16384),
        ('"16KB"', 16000),
        ('"1.5 MiB"', 3 << 19),
        ("0", 0),
    ],
)
def test_sizes_take_units(tmp_path: Path, value: str, length: int) -> None:
    assert Config.load(write(tmp_path, f"[node]\nmax_pdu_length = {value}")).node.max_pdu_length == length


@pytest.mark.parametrize(
    ("value", "duration"),
    [("30", 30.0), ("0.5", 0.5), ('"500 ms"', 0.5), ('"5 min"', 300.0), ('"1h"', 3600.0), ('"1.5 s"', 1.5)],
)
def test_times_take_units(tmp_path: Path, value: str, duration: float) -> None:
    assert Config.load(write(tmp_path, f"[timeouts]\nidle = {value}")).timeouts.idle_s == duration


# text of the file, then for each mistake: line, key, a part of the message
MISTAKES = [
    ("[node]\nprot = 104", [(2, "node.prot", "nearest known is `port`")]),
    ("[nodes]\nport = 104", [(1, "nodes", "nearest known is `node`")]),
    ("port = 104", [(1, "port", "belongs into [node]")]),
    ("node = 3", [(1, "node", "must be a table, not 3 (a number)")]),
    ('[node]\nport = "104"', [(2, "node.port", "must be a whole number")]),
    ("[node]\nport = true", [(2, "node.port", "must be a whole number")]),
    ("[node]\nport = 65536", [(2, "node.port", "between 0 and 65535")]),
    ('[node]\nae_title = ""', [(2, "node.ae_title", "must not be empty")]),
    ('[node]\nae_title = "   "', [(2, "node.ae_title", "must not be empty")]),
    ('[node]\nae_title = "SEVENTEEN_LETTERS"', [(2, "node.ae_title", "at most 16 characters")]),
    ("[node]\nae_title = 'A\\B'", [(2, "node.ae_title", "must not contain")]),
    ('[node]\nae_title = "A\\nB"', [(2, "node.ae_title", "must not contain")]),
    ('[node]\nae_title = "MÜNCHEN"', [(2, "node.ae_title", "must not contain")]),
    ('[node]\nbind = "not a host"', [(2, "node.bind", "no host name or address")]),
    ("[node]\nbind = []", [(2, "node.bind", "at least one address")]),
    ("[node]\nmax_pdu_length = 100", [(2, "node.max_pdu_length", "4096 to 16777216 bytes or 0")]),
    ("[node]\nmax_associations = 0", [(2, "node.max_associations", "between 1 and")]),
    ("[node]\ncheck_called_ae_title = 1", [(2, "node.check_called_ae_title", "true or false")]),
    (
        '[node]\npreferred_transfer_syntaxes = ["ExplicitVRLitleEndian"]',
        [(2, "node.preferred_transfer_syntaxes", "nearest known is `ExplicitVRLittleEndian`")],
    ),
    ("[timeouts]\nartim = 0", [(2, "timeouts.artim", "longer than 0")]),
    ("[timeouts]\nartim = -5", [(2, "timeouts.artim", "longer than 0")]),
    ("[timeouts]\nartim = inf", [(2, "timeouts.artim", "must be a time")]),
    ("[timeouts]\nartim = nan", [(2, "timeouts.artim", "must be a time")]),
    ('[timeouts]\nartim = "30 sec"', [(2, "timeouts.artim", "unknown unit 'sec'")]),
    ("[timeouts]\nartim_s = 3", [(2, "timeouts.artim_s", "nearest known is `artim`")]),
    ('[archive]\nmin_free = "1 Gib"', [(2, "archive.min_free", "unknown unit 'Gib'")]),
    ("[archive]\nmin_free = -1", [(2, "archive.min_free", "at least 0 bytes")]),
    ('[archive]\npath = ""', [(2, "archive.path", "path of a folder")]),
    ('[archive]\ndurability = "most"', [(2, "archive.durability", '"full" or "os", not \'most\'')]),
    ('[access]\nunknown_peers = "echo"', [(2, "access.unknown_peers", "must be a list")]),
    ('[access]\nunknown_peers = ["query"]', [(2, "access.unknown_peers", '"echo", "store"')]),
    ('[peers]\nae_title = "A"', [(1, "peers", "write [[peers]] above each")]),
    ('[[peers]]\nhost = "a"', [(1, "peers[1].ae_title", "is missing")]),
    (
        '[[peers]]\nae_title = "A"\n[[peers]]\nae_title = "A "',
        [(4, "peers[2].ae_title", "another peer 'A'")],
    ),
    ('[[peers]]\nae_title = "A"\nport = 0', [(3, "peers[1].port", "between 1 and 65535")]),
    ('peers = [\n{ ae_title = "A", prot = 1 }]', [(1, "peers[1].prot", "nearest known is `port`")]),
    (
        '[tls]\ncertificate = "no.crt"\nkey = ""',
        [(2, "tls.certificate", "no file"), (3, "tls.key", "path of a")],
    ),
    ('[log]\nlevel = "info"', [(2, "log.level", '"INFO"')]),
    ("[limits]\nnesting_depth_max = 0", [(2, "limits.nesting_depth_max", "between 1 and")]),
    ('[index]\nextra = ["ScanOptons"]', [(2, "index.extra", "nearest known is `ScanOptions`")]),
    ('[index]\nextra = ["SERIES/"]', [(2, "index.extra", "is no attribute")]),
    ('[index]\nextra = ["SERIE/ScanOptions"]', [(2, "index.extra", "nearest known is `SERIES`")]),
    ("[node\nport = 1", [(1, "", "Expected ']'")]),
    ("[node]\nport = 1\nport = 2", [(3, "", "Cannot overwrite a value")]),
    ('[node]\nae_title = """A', [(2, "", "")]),
    (
        '[access]\nuser_identity = "required"\npasscodes = "none"',
        [(3, "access.passcodes", "there is no file")],  # and not that it is missing, too
    ),
    (
        '[node]\nprot = 1\n\n[log]\nformat = "xml"\n\n[timeouts]\nidle = "soon"',
        [(2, "node.prot", ""), (5, "log.format", ""), (8, "timeouts.idle", "")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_a_mistake_is_named_with_key_and_line(
    tmp_path: Path, text: str, expected: list[tuple[int, str, str]]
) -> None:
    found = mistakes_of(tmp_path, text)
    assert [(line, key) for line, key, _ in found] == [(line, key) for line, key, _ in expected]
    for (_, _, message), (_, _, part) in zip(found, expected, strict=True):
        assert part in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# [node]\n[node]\n# port = 1\nport = -1", 4),
        ('node.ae_title = "A"\nnode.port = -1', 2),
        ('[ node ]\n"port" = -1', 2),
        ('[node]\nae_title = """\\\n  port = 1 \\\n  """\nport = -1', 5),
        ('node = { ae_title = "A", port = -1 }', 1),
    ],
)
def test_the_line_is_found_in_every_way_to_write_a_key(tmp_path: Path, text: str, line: int) -> None:
    found = {key: place for place, key, _ in mistakes_of(tmp_path, text)}
    assert found["node.port"] == line


def test_the_message_of_the_error_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[node]\nprot = 1")
    with pytest.raises(UsageError, match=rf"{path}: line 2: node\.prot: unknown key"):
        Config.load(path)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Config.load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe[node]")
    with pytest.raises(ConfigError, match="not UTF-8"):
        Config.load(tmp_path / "binary.toml")


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    assert Config.load(write(tmp_path, '[archive]\npath = "store"')).archive.path == tmp_path / "store"


def test_keywords_are_shortcuts_for_the_node() -> None:
    config = Config(ae_title=" GATEWAY ", port=0, bind=["::"], archive="/srv/x", max_pdu_length="16 KiB")
    assert config.node == NodeConfig(ae_title="GATEWAY", port=0, bind=("::",), max_pdu_length=16384)
    assert config.archive.path == Path("/srv/x")


def test_sections_are_given_as_dataclasses_or_tables() -> None:
    config = Config(
        timeouts={"idle": "2 min"},
        limits=Limits(answers_max=5),
        peers=[Peer(ae_title="A"), {"ae_title": "B"}],
    )
    assert config.timeouts == Timeouts(idle_s=120.0)
    assert config.limits.answers_max == 5
    assert [peer.ae_title for peer in config.peers] == ["A", "B"]


def test_dataclasses_are_checked_like_files() -> None:
    with pytest.raises(ConfigError, match=r"timeouts\.idle: must be longer than 0"):
        Config(timeouts=Timeouts(idle_s=-1.0))


def test_every_mistake_in_keywords_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Config(port=70000, peers=[{"ae_title": ""}], log={"level": "LOUD"})
    assert {mistake.key for mistake in caught.value.mistakes} == {
        "node.port",
        "peers[1].ae_title",
        "log.level",
    }


def test_transfer_syntaxes_become_uids() -> None:
    config = Config(preferred_transfer_syntaxes=["JPEGLSLossless", "1.2.840.10008.1.2.1"])
    assert config.node.preferred_transfer_syntaxes == ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.1")


def test_extra_attributes_carry_level_and_vr() -> None:
    extra = Config(index={"extra": ["SERIES/ScanOptions", "KVP"]}).index.extra
    assert [(row.tag, row.vr, row.level) for row in extra] == [
        (0x00180022, "CS", "SERIES"),
        (0x00180060, "DS", "IMAGE"),
    ]


def test_changes_make_a_new_configuration() -> None:
    old = Config(port=0)
    new = old.with_changes(node={"ae_title": "B"}, archive={"path": "/x"})
    assert (new.node.ae_title, new.node.port, new.archive.path) == ("B", 0, Path("/x"))
    assert old == Config(port=0)


def test_what_needs_a_restart_is_named() -> None:
    old = Config(index={"extra": ["KVP"]})
    new = old.with_changes(node={"port": 1, "ae_title": "B"}, timeouts={"idle": 5}, log={"level": "DEBUG"})
    assert old.needs_restart(new) == ["node.ae_title", "node.port"]
    assert old.needs_restart(old) == []


def test_a_peer_is_found_by_its_title() -> None:
    config = Config(peers=[{"ae_title": "PACS", "host": "10.0.0.5"}])
    assert config.peer("PACS") == Peer(ae_title="PACS", host="10.0.0.5")
    assert config.peer("pacs") is None


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().node = NodeConfig()  # type: ignore[misc]
    assert replace(NodeConfig(), port=1).port == 1


def test_reading_a_configuration_imports_nothing_heavy() -> None:
    code = "import sys, fastdicom.config; sys.exit(bool({'pydicom', 'numpy', 'lmdb'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


HUGE = ("1e308", "9" * 400, '"99999999999 d"', f'"{"9" * 400} s"', f'"{"9" * 400}"')


@pytest.mark.parametrize("value", HUGE)
@pytest.mark.parametrize(
    "key", ["timeouts.idle", "limits.dataset_length_max", "retention.max_age", "node.port"]
)
def test_no_value_is_too_huge_to_be_refused_in_one_line(tmp_path: Path, key: str, value: str) -> None:
    section, _, name = key.partition(".")
    path = tmp_path / "c.toml"
    path.write_text(f"[{section}]\n{name} = {value}\n")
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert [(mistake.key, mistake.line) for mistake in caught.value.mistakes] == [(key, 2)]
    assert len(caught.value.mistakes[0].message) < 200


def test_the_longest_time_is_one_that_a_socket_can_wait() -> None:
    assert Config(timeouts={"idle": "36500 d"}).timeouts.idle_s == SECONDS_MAX
    with socket.socket() as sock:
        sock.settimeout(SECONDS_MAX)
    assert SECONDS_MAX < threading.TIMEOUT_MAX


@pytest.mark.parametrize("value", ['"a\\u0000b"', '""', "5", "[]", "{}", "2024-01-31"])
def test_what_is_no_path_is_a_mistake(tmp_path: Path, value: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"[archive]\npath = {value}\n")
    with pytest.raises(ConfigError, match=r"line 2: archive\.path: must be the path of a folder"):
        Config.load(path)


@pytest.mark.parametrize("name", ["x" * 5000, "a\\u0000b", "nobody"])
def test_a_file_that_cannot_be_there_is_a_mistake(tmp_path: Path, name: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'[access]\npasscodes = "{name}"\n')
    with pytest.raises(ConfigError, match=r"line 2: access\.passcodes: "):
        Config.load(path)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "port = " + "9" * 5000])
def test_what_the_reader_gives_up_on_is_a_config_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(path)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path, ends: str) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(("\ufeff" + ends.join(["[node]", "port = 104", "prot = 1", ""])).encode())
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert [(mistake.key, mistake.line) for mistake in caught.value.mistakes] == [("node.prot", 3)]
