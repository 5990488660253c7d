"""Lets the threads of associations into the interpreter one after the other.

A thread gives the interpreter's lock away for every system call, however short. With one thread that costs
nothing. With several, another one has taken it meanwhile: the first has to sleep and be woken, ten times an
instance, and all of them do so. Here a thread that has received something waits, before it asks for the
interpreter's lock, until the one that is inside waits for its peer or its disk. Nobody then contends for the
lock, and each call gets it back at once.

It is advice, not exclusion: nothing relies on being alone. A thread that stays inside for long (a slow
handler, a slow peer) is passed by after PATIENCE_NS for each that waits before one, and what it held is void.
"""
cimport cython
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from libc.errno cimport EINTR, ETIMEDOUT, errno
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from threads cimport (
    pthread_atfork, pthread_cond_destroy, pthread_cond_init, pthread_cond_signal, pthread_cond_t,
    pthread_cond_timedwait, pthread_condattr_init, pthread_condattr_setclock, pthread_condattr_t,
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock, sem_destroy, sem_init,
    sem_post, sem_t, sem_wait,
)

cdef extern from *:
    """
    static _Thread_local unsigned long long fastdicom_pass; /* of this thread; 0: it is outside */
    """
    unsigned long long own_pass "fastdicom_pass"

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int, void*, size_t, int)

cdef enum:
    PATIENCE_NS = 2_000_000


cdef struct Waiter:
    pthread_cond_t called
    Waiter* behind


cdef pthread_mutex_t lock
cdef pthread_condattr_t monotonic
cdef unsigned long long inside    # pass of the thread that is in; 0: nobody
cdef unsigned long long latest    # pass
cdef Waiter* first
cdef Waiter* last
cdef long waiting


cdef void open_turnstile() noexcept nogil:
    """Nobody is inside: at the beginning, and in a forked process, where nobody will come out."""
    global inside, first, last, waiting
    pthread_mutex_init(&lock, NULL)
    inside = 0
    first = last = NULL
    waiting = 0


cdef void queue(Waiter* waiter) noexcept nogil:
    global first, last, waiting
    pthread_cond_init(&waiter.called, &monotonic)
    waiter.behind = NULL
    if last == NULL:
        first = waiter
    else:
        last.behind = waiter
    last = waiter
    waiting += 1


cdef void unqueue(Waiter* waiter) noexcept nogil:
    """Mostly it is the first."""
    global first, last, waiting
    cdef Waiter* before = NULL
    cdef Waiter* one = first
    while one != waiter:
        before = one
        one = one.behind
    if before == NULL:
        first = waiter.behind
    else:
        before.behind = waiter.behind
    if last == waiter:
        last = before
    waiting -= 1
    pthread_cond_destroy(&waiter.called)


cdef void wait_outside() noexcept nogil:
    """Until nobody is inside, or patience ends: the lock is held before and after."""
    cdef Waiter waiter
    cdef timespec until
    cdef long long nanoseconds
    queue(&waiter)
    clock_gettime(CLOCK_MONOTONIC, &until)
    nanoseconds = until.tv_nsec + waiting * <long long>PATIENCE_NS
    until.tv_sec += nanoseconds // 1_000_000_000
    until.tv_nsec = nanoseconds % 1_000_000_000
    while inside != 0:
        if pthread_cond_timedwait(&waiter.called, &lock, &until) == ETIMEDOUT:
            break
    unqueue(&waiter)


cdef void go_in() noexcept nogil:
    global inside, latest, own_pass
    pthread_mutex_lock(&lock)
    if inside != 0 and inside != own_pass:
        wait_outside()
    latest += 1
    inside = own_pass = latest
    pthread_mutex_unlock(&lock)


cdef void go_out() noexcept nogil:
    global inside, own_pass
    if own_pass == 0:
        return
    pthread_mutex_lock(&lock)
    if inside == own_pass:
        inside = 0
        if first != NULL:
            pthread_cond_signal(&first.called)
    own_pass = 0
    pthread_mutex_unlock(&lock)


pthread_condattr_init(&monotonic)
pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC)
open_turnstile()
pthread_atfork(NULL, NULL, open_turnstile)


def enter():
    """See the .pyi file."""
    with nogil:
        go_in()


def is_inside():
    """See the .pyi file."""
    return own_pass != 0


def leave():
    """See the .pyi file."""
    cdef bint was_inside = own_pass != 0
    go_out()
    return was_inside


def receive(int descriptor, unsigned char[::1] into not None):
    """See the .pyi file."""
    cdef ssize_t count
    if into.shape[0] == 0:
        return 0
    while True:
        with nogil:
            go_out()
            count = recv(descriptor, &into[0], into.shape[0], 0)
            if count > 0:
                go_in()
        if count >= 0:
            return count
        if errno != EINTR:
            PyErr_SetFromErrno(OSError)
        PyErr_CheckSignals()


@cython.final
cdef class Turn:
    """See the .pyi file."""

    cdef sem_t given

    def __cinit__(self):
        sem_init(&self.given, 0, 0)

    def __dealloc__(self):
        sem_destroy(&self.given)

    def give(self):
        """See the .pyi file."""
        sem_post(&self.given)

    def wait(self):
        """See the .pyi file."""
        cdef bint was_inside = own_pass != 0
        cdef int failed
        while True:
            with nogil:
                go_out()
                failed = sem_wait(&self.given)
                if was_inside and not failed:
                    go_in()
            if not failed:
                return
            PyErr_CheckSignals()
