class PduReader:
    """Takes PDU and PDV heads off a byte stream and names the spans of data between them. PS3.8 9.3.

    capacity: bytes of the receive buffer. pdata_length_max: the Maximum Length that we announced, 0 for
    none. association_pdu_length_max: ceiling for every PDU that is not a P-DATA-TF.
    """

    more: bool
    def __init__(self, capacity: int, pdata_length_max: int, association_pdu_length_max: int) -> None: ...
    def space(self) -> memoryview:
        """The writable free part of the buffer. Ends the life of every view handed out before."""

    def received(self, count: int) -> list[tuple[int, int, memoryview | bytes]]:
        """Take `count` new bytes in `space()`; returns, in order, what they complete.

        (context_id, control, data): a piece of a PDV, borrowed until the next `space()`. control bit 0:
        command (1) or data set (0); bit 1: this piece ends the last fragment of its message, PS3.8 E.2.
        (0, pdu_type, body): a whole association PDU without its head.
        Raises PeerError with the abort reason; nothing after it can be trusted.
        """

    def take(self) -> list[tuple[int, int, memoryview | bytes]]:
        """Name further spans that are in the buffer already, when `more` says that there are some."""
