"""Files flushed to disk by threads of their own, which never touch the interpreter. Promise 1.

Waiting for a disk on a Python thread costs two hand-overs of the interpreter's lock and a switch to a thread
that had something else to do. Here a descriptor is handed in and the caller goes on; who asks for the result
waits only if the disk is the slower of the two. Short files go one after the other through one thread, for
each finds the disk's queue empty and is done sooner; more threads wake for long files and when many wait.
"""
cimport cython
from libc.errno cimport errno
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.types cimport pid_t
from posix.unistd cimport close, fdatasync, getpid

from threads cimport (
    pthread_cond_init, pthread_cond_signal, pthread_cond_t, pthread_cond_wait, pthread_mutex_init,
    pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock, sem_destroy, sem_init, sem_post, sem_t, sem_trywait,
    start_deaf_thread, wait_for,
)

import os

cdef enum:
    THREADS_MAX = 8
    QUEUE_SHORT = 2               # jobs that may wait for one thread
    LONG_FILE = 64 * 1024         # bytes: its flush is mostly the disk's time, and several go at once


cdef struct Job:
    int fd
    int error                     # errno of the flush, 0 when it is durable
    double seconds
    sem_t done
    Job* behind


cdef struct Pool:
    pthread_mutex_t lock
    pthread_cond_t work
    Job* first
    Job* last
    int queued
    int idle                      # threads that sleep and were not woken yet
    int woken                     # threads that were woken and do not know it yet
    int threads
    pid_t owner


cdef Pool pool
pool.owner = 0


cdef double now() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return t.tv_sec + t.tv_nsec * 1e-9


cdef void flush(Job* job) noexcept nogil:
    """Make the file durable and close it. The job belongs to the waiter again from the post on."""
    cdef double began = now()
    job.error = errno if fdatasync(job.fd) != 0 else 0
    job.seconds = now() - began
    close(job.fd)
    sem_post(&job.done)


cdef void* work(void* unused) noexcept nogil:
    """The life of a thread."""
    cdef Job* job
    pthread_mutex_lock(&pool.lock)
    while True:
        while pool.first == NULL:
            pool.idle += 1
            while pool.woken == 0:
                pthread_cond_wait(&pool.work, &pool.lock)
            pool.woken -= 1
        job = pool.first
        pool.first = job.behind
        if pool.first == NULL:
            pool.last = NULL
        pool.queued -= 1
        pthread_mutex_unlock(&pool.lock)
        flush(job)
        pthread_mutex_lock(&pool.lock)
    return NULL


cdef void make_pool() noexcept nogil:
    """An empty pool: the first time, and in a forked process, which has none of its parent's threads."""
    pthread_mutex_init(&pool.lock, NULL)
    pthread_cond_init(&pool.work, NULL)
    pool.first = pool.last = NULL
    pool.queued = pool.idle = pool.woken = pool.threads = 0
    pool.owner = getpid()


cdef bint hand_in(Job* job, bint is_long) noexcept nogil:
    """Queue the job; False when there is no thread to do it and none can be had."""
    cdef bint served = True
    pthread_mutex_lock(&pool.lock)
    job.behind = NULL
    if pool.last == NULL:
        pool.first = job
    else:
        pool.last.behind = job
    pool.last = job
    pool.queued += 1
    if pool.idle:
        if is_long or pool.idle == pool.threads or pool.queued > QUEUE_SHORT:
            pool.idle -= 1
            pool.woken += 1
            pthread_cond_signal(&pool.work)
    elif pool.threads < THREADS_MAX and (is_long or pool.threads == 0 or pool.queued > QUEUE_SHORT):
        if start_deaf_thread(work, NULL):
            pool.threads += 1
        elif pool.threads == 0:
            pool.first = pool.last = NULL
            pool.queued = 0
            served = False
    pthread_mutex_unlock(&pool.lock)
    return served


@cython.final
cdef class Flush:
    """See the .pyi file."""

    cdef Job job
    cdef bint under_way
    cdef pid_t owner

    def __cinit__(self, int fd, size_t length):
        self.owner = getpid()
        if pool.owner != self.owner:
            make_pool()
        self.job.fd = fd
        sem_init(&self.job.done, 0, 0)
        self.under_way = True
        if not hand_in(&self.job, length >= LONG_FILE):
            with nogil:
                flush(&self.job)

    def __dealloc__(self):
        if self.under_way and self.owner == getpid():    # a forked process has no thread that would finish it
            self._await()
        sem_destroy(&self.job.done)

    cdef void _await(self) noexcept:
        """The threads write to the job until it is done."""
        if sem_trywait(&self.job.done) != 0:
            with nogil:
                wait_for(&self.job.done)
        self.under_way = False

    def wait(self):
        """Seconds that the flush took. Raises OSError."""
        if self.under_way:
            self._await()
        if self.job.error:
            raise OSError(self.job.error, os.strerror(self.job.error))
        return self.job.seconds
