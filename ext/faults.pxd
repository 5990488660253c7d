# What can be wrong with the structure of a Data Set, as codes for nogil code and sentences for people.
# Header-only.
cdef enum Fault:
    NO_FAULT
    BAD_VR
    BAD_LENGTH
    LENGTH_NOT_DEFINED
    HEAD_CROSSES_END
    STRAY_DELIMITER
    NOT_AN_ITEM
    DELIMITER_LENGTH
    FRAGMENT_LENGTH
    TOO_DEEP
    TOO_MANY
    NO_MEMORY
    CUT_HEAD
    CUT_VALUE
    NOT_CLOSED
    ENCAPSULATED
    TOO_LONG


cdef inline str sentence(Fault fault):
    """What follows "(gggg,eeee)" in the message; short, since 64 characters reach a peer."""
    if fault == BAD_VR:
        return "has no VR"
    if fault == BAD_LENGTH:
        return "is longer than what encloses it"
    if fault == LENGTH_NOT_DEFINED:
        return "may not have undefined length"
    if fault == HEAD_CROSSES_END:
        return "does not fit into its item"
    if fault == STRAY_DELIMITER:
        return "stands where an element has to be"
    if fault == NOT_AN_ITEM:
        return "stands where an item has to be"
    if fault == DELIMITER_LENGTH:
        return "is a delimiter with a length"
    if fault == FRAGMENT_LENGTH:
        return "is a fragment of undefined length"
    if fault == TOO_DEEP:
        return "is nested too deeply"
    if fault == TOO_MANY:
        return "is one element too many"
    if fault == CUT_VALUE:
        return "is cut short by the Data Set's end"
    if fault == NOT_CLOSED:
        return "is open at the Data Set's end"
    if fault == ENCAPSULATED:
        return "is encapsulated, not native"
    return "gets too long in the other coding"


cdef inline str describe(Fault fault, unsigned int tag, unsigned long long at):
    """The whole message: which element, what is wrong, at which byte of the Data Set."""
    if fault == CUT_HEAD:
        return f"Data Set ends inside an element's head, byte {at}"
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {sentence(fault)}, byte {at}"


cdef inline int raise_fault(Fault fault, unsigned int tag, unsigned long long at) except -1:
    """Raise what tells of the fault: MemoryError or MalformedDataset."""
    from fastdicom.errors import MalformedDataset     # here: a .pxd has no module level to import at
    if fault == NO_MEMORY:
        raise MemoryError()
    if fault == CUT_HEAD:
        raise MalformedDataset(describe(fault, tag, at), at)
    raise MalformedDataset(describe(fault, tag, at), at, tag)
