# vector.h for Cython. Header-only.
cdef extern from "vector.h" nogil:
    enum:
        VECTOR_SCALAR
        VECTOR_BASELINE
        VECTOR_SSSE3
        VECTOR_AVX2

    int vector_best_path() noexcept


cdef inline int path_named(str name) except -1:
    """The path of that name ("best": what the import chose), or the best below it that runs here."""
    cdef int best = vector_best_path()
    paths = {"scalar": VECTOR_SCALAR, "baseline": VECTOR_BASELINE, "ssse3": VECTOR_SSSE3, "best": best}
    if name not in paths:
        raise ValueError(f"no vector path {name!r}; there are {', '.join(paths)}")
    return min(<int>paths[name], best)
