# Threads that work through tasks and never touch the interpreter. Header-only: each module that has a Crew has
# threads of its own.
#
# Who waits for a task that no thread has begun with does it himself: waiting costs nothing but the work then,
# and a crew that is busy with others holds nobody up.
from libc.stdlib cimport free, malloc
from posix.types cimport pid_t
from posix.unistd cimport getpid

from threads cimport (
    pthread_cond_init, pthread_cond_signal, pthread_cond_t, pthread_cond_wait, pthread_mutex_init,
    pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock, sem_destroy, sem_init, sem_post, sem_t, sem_trywait,
    start_deaf_thread, wait_for,
)


cdef enum:
    SCRATCH_KEPT = 2 << 20        # bytes that a thread keeps for its next task


cdef struct Scratch:
    void* at
    size_t size


cdef struct Task:
    void (*run)(void*, Scratch*) noexcept nogil
    void* order                   # what `run` is given
    sem_t done
    Task* behind
    bint queued
    pid_t owner


cdef struct Crew:
    pthread_mutex_t lock
    pthread_cond_t work
    Task* first
    Task* last
    int idle                      # threads that sleep
    int threads
    int threads_max
    pid_t owner                   # a forked process has none of its parent's threads


cdef inline void* take_scratch(Scratch* scratch, size_t size) noexcept nogil:
    """`size` bytes to work in, whatever is in them; NULL when there is no memory."""
    if scratch.size < size:
        free(scratch.at)
        scratch.at = malloc(size)
        scratch.size = size if scratch.at != NULL else 0
    return scratch.at


cdef inline void* crew_member(void* argument) noexcept nogil:
    """The life of a thread."""
    cdef Crew* crew = <Crew*>argument
    cdef Task* task
    cdef Scratch scratch
    scratch.at = NULL
    scratch.size = 0
    pthread_mutex_lock(&crew.lock)
    while True:
        while crew.first == NULL:
            crew.idle += 1
            pthread_cond_wait(&crew.work, &crew.lock)
            crew.idle -= 1
        task = crew.first
        crew.first = task.behind
        task.queued = False
        pthread_mutex_unlock(&crew.lock)
        task.run(task.order, &scratch)
        sem_post(&task.done)
        if scratch.size > SCRATCH_KEPT:
            free(scratch.at)
            scratch.at = NULL
            scratch.size = 0
        pthread_mutex_lock(&crew.lock)
    return NULL


cdef inline void hand_in(Crew* crew, Task* task, int threads_max) noexcept nogil:
    """Have the task done by a thread, or by whoever waits for it when there is none."""
    task.owner = getpid()
    task.behind = NULL
    task.queued = True
    sem_init(&task.done, 0, 0)
    if crew.owner != task.owner:  # the caller holds the GIL: nobody else makes it
        pthread_mutex_init(&crew.lock, NULL)
        pthread_cond_init(&crew.work, NULL)
        crew.first = NULL
        crew.idle = crew.threads = 0
        crew.owner = task.owner
    pthread_mutex_lock(&crew.lock)
    if crew.first == NULL:
        crew.first = task
    else:
        crew.last.behind = task
    crew.last = task
    if crew.idle:
        pthread_cond_signal(&crew.work)
    elif crew.threads < threads_max and start_deaf_thread(crew_member, crew):
        crew.threads += 1
    pthread_mutex_unlock(&crew.lock)


cdef inline bint take_back(Crew* crew, Task* task) noexcept nogil:
    """Out of the queue again; False when a thread has it already."""
    cdef Task** at = &crew.first
    cdef Task* before = NULL
    pthread_mutex_lock(&crew.lock)
    if not task.queued:
        pthread_mutex_unlock(&crew.lock)
        return False
    while at[0] != task:
        before = at[0]
        at = &at[0].behind
    at[0] = task.behind
    if crew.last == task:
        crew.last = before
    task.queued = False
    pthread_mutex_unlock(&crew.lock)
    return True


cdef inline void do_now(Task* task) noexcept nogil:
    """On the caller's thread."""
    cdef Scratch scratch
    scratch.at = NULL
    scratch.size = 0
    task.run(task.order, &scratch)
    free(scratch.at)


cdef inline void end_task(Crew* crew, Task* task, bint wanted) noexcept nogil:
    """Once for each task: until no thread works on it any more. wanted: and it is done."""
    if task.owner != getpid() or take_back(crew, task):
        if wanted:
            do_now(task)
    elif sem_trywait(&task.done) != 0:
        wait_for(&task.done)
    sem_destroy(&task.done)
