# Threads that work through tasks and never touch the interpreter. Header-only: each module that has a Crew has
# threads of its own.
#
# Two tasks may take less time together than one by one: threads wait for a second one of a kind. Who waits for a
# task that no thread has begun with does it himself, so that one alone is not held up, nor by a busy crew.
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
    void (*run_two)(void*, void*, Scratch*) noexcept nogil     # two tasks in less time than one by one
    bint (*worth_pairing)(void*, void*) noexcept nogil         # of one with itself: of its kind at all
    void* order                   # what these are given
    sem_t done
    Task* behind
    bint queued
    pid_t owner


cdef struct Crew:
    pthread_mutex_t lock
    pthread_cond_t work
    Task* first
    Task* last
    int idle                      # threads that sleep and were not woken yet
    int woken                     # threads that were woken and do not know it yet
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


cdef inline bint is_ready(const Crew* crew) noexcept nogil:
    """Something is to be done, and no second task is worth waiting for; the caller has the lock."""
    cdef Task* task = crew.first
    return task != NULL and (task.behind != NULL or not task.worth_pairing(task.order, task.order))


cdef inline Task* take_first(Crew* crew) noexcept nogil:
    """Out of the queue, which is not empty; the caller has the lock."""
    cdef Task* task = crew.first
    crew.first = task.behind
    task.queued = False
    return task


cdef inline Task* take_partner(Crew* crew, const Task* task) noexcept nogil:
    """The first one of the queue, if it may be done together with `task`, else NULL; the caller has the lock."""
    if crew.first == NULL or not task.worth_pairing(task.order, crew.first.order):
        return NULL
    return take_first(crew)


cdef inline void run(Task* task, Task* partner, Scratch* scratch) noexcept nogil:
    """Do a task, and its partner if that is not NULL, whose owner hears of it."""
    if partner == NULL:
        task.run(task.order, scratch)
        return
    task.run_two(task.order, partner.order, scratch)
    sem_post(&partner.done)


cdef inline void* crew_member(void* argument) noexcept nogil:
    """The life of a thread."""
    cdef Crew* crew = <Crew*>argument
    cdef Task* task
    cdef Task* partner
    cdef Scratch scratch
    scratch.at = NULL
    scratch.size = 0
    pthread_mutex_lock(&crew.lock)
    while True:
        while not is_ready(crew):
            crew.idle += 1
            while crew.woken == 0:
                pthread_cond_wait(&crew.work, &crew.lock)
            crew.woken -= 1
        task = take_first(crew)
        partner = take_partner(crew, task)
        pthread_mutex_unlock(&crew.lock)
        run(task, partner, &scratch)
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
        crew.idle = crew.woken = crew.threads = 0
        crew.owner = task.owner
    pthread_mutex_lock(&crew.lock)
    if crew.first == NULL:
        crew.first = task
    else:
        crew.last.behind = task
    crew.last = task
    if not is_ready(crew):
        pass
    elif crew.idle:
        crew.idle -= 1
        crew.woken += 1
        pthread_cond_signal(&crew.work)
    elif crew.threads < threads_max and start_deaf_thread(crew_member, crew):
        crew.threads += 1
    pthread_mutex_unlock(&crew.lock)


cdef inline bint take_back(Crew* crew, Task* task) noexcept nogil:
    """Out of the queue again; False when a thread has it already. The caller has the lock."""
    cdef Task** at = &crew.first
    cdef Task* before = NULL
    if not task.queued:
        return False
    while at[0] != task:
        before = at[0]
        at = &at[0].behind
    at[0] = task.behind
    if crew.last == task:
        crew.last = before
    task.queued = False
    return True


cdef inline void do_now(Task* task, Task* partner) noexcept nogil:
    """On the caller's thread."""
    cdef Scratch scratch
    scratch.at = NULL
    scratch.size = 0
    run(task, partner, &scratch)
    free(scratch.at)


cdef inline void end_task(Crew* crew, Task* task, bint wanted) noexcept nogil:
    """Once for each task: until no thread works on it any more. wanted: and it is done."""
    cdef Task* partner = NULL
    cdef bint ours = task.owner != getpid()       # in a forked process: nobody else's
    if not ours:
        pthread_mutex_lock(&crew.lock)
        ours = take_back(crew, task)
        if ours and wanted:
            partner = take_partner(crew, task)
        pthread_mutex_unlock(&crew.lock)
    if ours and wanted:
        do_now(task, partner)
    elif not ours and sem_trywait(&task.done) != 0:
        wait_for(&task.done)
    sem_destroy(&task.done)
