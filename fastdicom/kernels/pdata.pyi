def message(context_id: int, command: bytes, dataset: bytes | None, pdu_length_max: int) -> bytes:
    """A whole DIMSE message, Command Set and optional Data Set, as P-DATA-TF PDUs. PS3.8 9.3.5.

    For messages that are small and in memory. pdu_length_max: what the peer announced (not 0), the
    Length field of no PDU is larger. Each PDU carries one PDV.
    """

def fragment_heads(context_id: int, length: int, pdu_length_max: int, last: bool) -> bytes:
    """The 12-byte heads (PDU and PDV) for `length` bytes of a Data Set, one after the other.

    Fragment i covers bytes [i * (pdu_length_max - 6), ...) of the run. last: the run ends the message.
    """
