"""[limits]: every ceiling on what a peer can make us hold or loop over, with its name."""

from __future__ import annotations

from dataclasses import dataclass

from fastdicom.sections.units import COUNT_MAX, GIB, KIB, MIB
from fastdicom.settings import number, seconds, setting, size


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """[limits]: everything that a peer can make us hold or loop over. Lengths are bytes.

    half_open_max, half_open_per_address_max: connections without an association. associations_per_peer_max,
    associations_per_address_max: of one calling AE title, from one address (0: no limit of its own, [node]
    max_associations holds). identity_failures_max: wrong passcodes from one address within
    identity_failures_window_s, then its users are rejected unheard. identity_wait_s: until a passcode is
    compared when many come at once, then its user is rejected for the moment. association_request_length_max:
    an A-ASSOCIATE-RQ. look_ahead_length_max: what a peer may send behind a request that is being answered,
    before we stop reading. identifier_*: of C-FIND, C-MOVE and C-GET; identifiers_length_max: of all
    associations together. retrieve_instances_max: of one C-MOVE or C-GET. nesting_depth_max,
    element_count_max: of any Data Set. inflated_length_max, inflate_ratio_max: of a deflated Data Set, the
    ratio once inflate_ratio_after bytes came out. dataset_length_max: of a C-STORE as it arrives (0: no
    limit). incoming_length_max: of all Data Sets that are being received together (0: no limit).
    indexed_value_length_max: longer values are stored but not indexed. answers_max: of one C-FIND, then A700H
    (0: no limit). file_reads_max: files that one C-FIND may open for attributes that are not indexed, then
    A700H (0: no limit). file_read_length_max: bytes of each that are looked at, inflated. frame_length_max:
    of a native frame that is coded or decoded. codec_time_max_s, codec_memory_max: what one frame may take in
    a codec library before its process is ended (less, where the frame is small). message_stall_s: silence
    inside a message. send_stall_s: a peer that does not read. message_s: for one message to arrive whole.
    association_s: for an association; it is ended between two messages. commit_stall_s, work_stall_s: a
    commit, and our own work on one message (disk, index, codecs) without any step forward; beyond them the
    service counts as stuck and its watchdog restarts it.
    """

    half_open_max: int = setting(512, number(1, COUNT_MAX))
    half_open_per_address_max: int = setting(400, number(1, COUNT_MAX))
    associations_per_peer_max: int = setting(0, number(0, COUNT_MAX))
    associations_per_address_max: int = setting(0, number(0, COUNT_MAX))
    identity_failures_max: int = setting(5, number(1, COUNT_MAX))
    identity_failures_window_s: float = setting(60.0, seconds, "identity_failures_window")
    identity_wait_s: float = setting(5.0, seconds, "identity_wait")
    association_request_length_max: int = setting(MIB, size(4 * KIB, GIB))
    command_set_length_max: int = setting(64 * KIB, size(4 * KIB, GIB))
    look_ahead_length_max: int = setting(256 * KIB, size(4 * KIB, GIB))
    identifier_length_max: int = setting(MIB, size(4 * KIB, GIB))
    identifiers_length_max: int = setting(64 * MIB, size(4 * KIB))
    identifier_keys_max: int = setting(512, number(1, COUNT_MAX))
    identifier_uids_max: int = setting(10_000, number(1, COUNT_MAX))
    retrieve_instances_max: int = setting(1_000_000, number(1, COUNT_MAX))
    nesting_depth_max: int = setting(64, number(1, 10_000))
    element_count_max: int = setting(10_000_000, number(1_000, COUNT_MAX))
    inflated_length_max: int = setting(2 * GIB, size(MIB))
    inflate_ratio_max: int = setting(200, number(2, 1100))
    inflate_ratio_after: int = setting(MIB, size(0))
    dataset_length_max: int = setting(0, size(64 * KIB, zero_allowed=True))
    incoming_length_max: int = setting(0, size(MIB, zero_allowed=True))
    indexed_value_length_max: int = setting(64 * KIB, size(64, 16 * MIB))
    answers_max: int = setting(100_000, number(0, COUNT_MAX))
    file_reads_max: int = setting(10_000, number(0, COUNT_MAX))
    file_read_length_max: int = setting(MIB, size(64 * KIB, GIB))
    frame_length_max: int = setting(512 * MIB, size(MIB, 512 * MIB))
    codec_time_max_s: float = setting(120.0, seconds, "codec_time_max")
    codec_memory_max: int = setting(8 * GIB, size(64 * MIB))
    message_stall_s: float = setting(30.0, seconds, "message_stall")
    send_stall_s: float = setting(30.0, seconds, "send_stall")
    message_s: float = setting(3600.0, seconds, "message_time")
    association_s: float = setting(86400.0, seconds, "association_time")
    commit_stall_s: float = setting(60.0, seconds, "commit_stall")
    work_stall_s: float = setting(300.0, seconds, "work_stall")
