LENGTH_MAX: int

class Block:
    """`LENGTH_MAX` writable bytes, which hold anything: memoryview(Block()).

    Their memory is used for another block once no view of it is left; up to 8 are kept for that.
    """

    def __buffer__(self, flags: int, /) -> memoryview: ...
