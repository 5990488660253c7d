def message(context_id: int, command: bytes, dataset: bytes | None, pdu_length_max: int) -> bytes:
    """A whole DIMSE message, Command Set and optional Data Set, as P-DATA-TF PDUs. PS3.8 9.3.5.

    For messages that are small and in memory. pdu_length_max: what the peer announced (not 0), the
    Length field of no PDU is larger. Each PDU carries one PDV.
    """

def body(
    context_id: int, before: bytes, block: memoryview, pdu_length_max: int, last: bool
) -> list[bytes | memoryview]:
    """`before` (PDUs already) and a part of a Data Set as P-DATA-TF PDUs, in pieces for one sendmsg.

    block: bytes that are sent from where they lie, as slices between the heads made here; only a peer that
    takes less than 1 KB at once gets a copy. pdu_length_max: as for `message`. last: it ends the message.
    """
