"""The state machine of the upper layer: PS3.8 Table 9-10 as a table.

Only names: what an action does is in `association.py`. An event that the table does not allow in a
state raises before anything changes.
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """PS3.8 9.2.2."""

    STA1 = 1  # idle
    STA2 = 2  # transport open, awaiting A-ASSOCIATE-RQ
    STA3 = 3  # awaiting the local A-ASSOCIATE response
    STA4 = 4  # awaiting the transport connection
    STA5 = 5  # awaiting A-ASSOCIATE-AC or -RJ
    STA6 = 6  # established
    STA7 = 7  # awaiting A-RELEASE-RP
    STA8 = 8  # awaiting the local A-RELEASE response
    STA9 = 9  # release collision, requestor: awaiting the local A-RELEASE response
    STA10 = 10  # release collision, acceptor: awaiting A-RELEASE-RP
    STA11 = 11  # release collision, requestor: awaiting A-RELEASE-RP
    STA12 = 12  # release collision, acceptor: awaiting the local A-RELEASE response
    STA13 = 13  # awaiting the close of the transport


class Event(IntEnum):
    """PS3.8 9.2.1; the numbers are those of Table 9-10."""

    ASSOCIATE_REQUEST = 1  # local
    TRANSPORT_CONFIRM = 2
    ASSOCIATE_AC = 3
    ASSOCIATE_RJ = 4
    TRANSPORT_INDICATION = 5
    ASSOCIATE_RQ = 6
    ASSOCIATE_ACCEPT = 7  # local
    ASSOCIATE_REJECT = 8  # local
    P_DATA_REQUEST = 9  # local
    P_DATA_TF = 10
    RELEASE_REQUEST = 11  # local
    RELEASE_RQ = 12
    RELEASE_RP = 13
    RELEASE_RESPONSE = 14  # local
    ABORT_REQUEST = 15  # local
    ABORT = 16
    TRANSPORT_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


def _row(event: int, actions: dict[str, str]) -> dict[tuple[int, int], str]:
    """`{"3 5-12": "AA-8"}` -> one entry a state."""
    out = {}
    for states, action in actions.items():
        for part in states.split():
            first, _, last = part.partition("-")
            for state in range(int(first), int(last or first) + 1):
                out[event, state] = action
    return out


# (event, state) -> action. AE-6 and AR-8 choose between two next states, see NEXT.
ACTIONS: dict[tuple[int, int], str] = {
    **_row(1, {"1": "AE-1"}),
    **_row(2, {"4": "AE-2"}),
    **_row(3, {"2": "AA-1", "3 6-12": "AA-8", "5": "AE-3", "13": "AA-6"}),
    **_row(4, {"2": "AA-1", "3 6-12": "AA-8", "5": "AE-4", "13": "AA-6"}),
    **_row(5, {"1": "AE-5"}),
    **_row(6, {"2": "AE-6", "3 5-12": "AA-8", "13": "AA-7"}),
    **_row(7, {"3": "AE-7"}),
    **_row(8, {"3": "AE-8"}),
    **_row(9, {"6": "DT-1", "8": "AR-7"}),
    **_row(10, {"2": "AA-1", "3 5 8-12": "AA-8", "6": "DT-2", "7": "AR-6", "13": "AA-6"}),
    **_row(11, {"6": "AR-1"}),
    **_row(12, {"2": "AA-1", "3 5 8-12": "AA-8", "6": "AR-2", "7": "AR-8", "13": "AA-6"}),
    **_row(13, {"2": "AA-1", "3 5 6 8 9 12": "AA-8", "7 11": "AR-3", "10": "AR-10", "13": "AA-6"}),
    **_row(14, {"8 12": "AR-4", "9": "AR-9"}),
    **_row(15, {"3 5-12": "AA-1", "4": "AA-2"}),
    **_row(16, {"2 13": "AA-2", "3 5-12": "AA-3"}),
    **_row(17, {"2": "AA-5", "3-12": "AA-4", "13": "AR-5"}),
    **_row(18, {"2 13": "AA-2"}),
    **_row(19, {"2": "AA-1", "3 5-12": "AA-8", "13": "AA-7"}),
}

# action -> next state; AE-6 and AR-8 are decided by what the PDU says and by who asked first.
NEXT: dict[str, int | tuple[int, int]] = {
    "AE-1": 4, "AE-2": 5, "AE-3": 6, "AE-4": 1, "AE-5": 2, "AE-6": (3, 13), "AE-7": 6, "AE-8": 13,
    "DT-1": 6, "DT-2": 6,
    "AR-1": 7, "AR-2": 8, "AR-3": 1, "AR-4": 13, "AR-5": 1, "AR-6": 7, "AR-7": 8, "AR-8": (9, 10),
    "AR-9": 11, "AR-10": 12,
    "AA-1": 13, "AA-2": 1, "AA-3": 1, "AA-4": 1, "AA-5": 1, "AA-6": 13, "AA-7": 13, "AA-8": 13,
}  # fmt: skip


class IllegalEvent(Exception):
    """A local request that Table 9-10 leaves blank in this state: a mistake of the caller."""


def transition(state: int, event: int, *, second: bool = False) -> tuple[str, int]:
    """(action, next state) of Table 9-10. Raises IllegalEvent where the table is blank.

    second: take the second of two next states: AE-6 when the request is not acceptable (Sta13), AR-8
    when we are the acceptor (Sta10).
    """
    action = ACTIONS.get((event, state))
    if action is None:
        raise IllegalEvent(f"{Event(event).name} in {State(state).name}")
    following = NEXT[action]
    if isinstance(following, tuple):
        following = following[1 if second else 0]
    return action, following
