/* The load generator of `python -m bench`: N threads with one association each.
 *
 *   loadgen echo|assoc|idle|chatty PORT CALLED THREADS COUNT
 *   loadgen store PORT CALLED THREADS COUNT DATASET OFFSETS RUN [ZEROS]
 *   loadgen find|move PORT CALLED THREADS COUNT IDENTIFIER [DESTINATION]
 *   loadgen files FOLDER SIZE THREADS COUNT
 *   loadgen loopback BYTES
 *   loadgen sink
 *
 * COUNT is per thread. ZEROS: bytes that follow the DATASET of each object. One line of JSON goes to stdout. Time runs from when every association is open
 * to the last response. The first response that is no success ends the process with status 1.
 */
#include "sink.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct {
    char kind; /* p(atient ID), s(tudy), e (series), i(nstance) */
    size_t offset;
} Stamp;

/* What all threads share: the command line. */
static struct {
    const char *mode, *called, *destination, *folder;
    int port, threads, count, run, stamp_count;
    size_t size; /* of the data */
    uint64_t fill;
    uint8_t *data;
    Stamp stamps[32];
} job;

typedef struct {
    int number;
    double start, end, first; /* first: sum of the times to the first answer */
    unsigned long answers;
} Worker;

static pthread_barrier_t all_open;

static void go(Worker *w)
{
    pthread_barrier_wait(&all_open);
    w->start = now();
}

static void expect_success(const Command *response, const char *what)
{
    if (response->status != 0)
        die("%s answered with status %04XH", what, response->status);
}

static void echo(Association *a, int message_id)
{
    Buffer command;
    command_start(&command, VERIFICATION, C_ECHO, message_id, 0);
    command_finish(&command);
    send_message(a, &command, NULL, 0);
    Command response = next_message(a);
    expect_success(&response, "C-ECHO");
}

static void run_echo(Worker *w)
{
    Association a;
    associate(&a, job.port, job.called, VERIFICATION);
    go(w);
    for (int i = 0; i < job.count; i++)
        echo(&a, i & 0x7fff);
    w->end = now();
    release(&a);
}

static void run_associations(Worker *w)
{
    Association a;
    go(w);
    for (int i = 0; i < job.count; i++) {
        associate(&a, job.port, job.called, VERIFICATION);
        echo(&a, 1);
        release(&a);
    }
    w->end = now();
}

/* Hold COUNT associations open until stdin ends; says so once they are. */
static void run_idle(Worker *w)
{
    Association *open = calloc(job.count, sizeof *open);
    char line[16];
    go(w);
    for (int i = 0; i < job.count; i++)
        associate(&open[i], job.port, job.called, VERIFICATION);
    w->end = now();
    puts("{\"open\": true}");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        continue;
    for (int i = 0; i < job.count; i++)
        release(&open[i]);
}

/* A neighbour that keeps the server awake: an echo every millisecond until stdin ends. */
static void run_chatty(Worker *w)
{
    Association a;
    struct pollfd end = {.fd = 0, .events = POLLIN};
    associate(&a, job.port, job.called, VERIFICATION);
    go(w);
    puts("{\"open\": true}");
    fflush(stdout);
    for (w->answers = 0; poll(&end, 1, 1) == 0; w->answers++)
        echo(&a, 1);
    w->end = now();
    release(&a);
}

/* Write identifiers that no other object has over the Data Set's, in place and in the same length:
 * the last digits are run, association and, in the SOP Instance UID, number. */
static void stamp(uint8_t *data, int association, int number)
{
    char digits[32];
    for (int i = 0; i < job.stamp_count; i++) {
        Stamp s = job.stamps[i];
        if (s.kind == 'p') {
            snprintf(digits, sizeof digits, "%04d%03d", job.run % 10000, association % 1000);
            memcpy(data + s.offset + 5, digits, 7);
            continue;
        }
        snprintf(digits, sizeof digits, "%04d%03d%07d", job.run % 10000, association % 1000, s.kind == 'i' ? number % 10000000 : 0);
        memcpy(data + s.offset + UID_LENGTH - 14, digits, 14);
    }
}

static const char *instance_uid(const uint8_t *data)
{
    for (int i = 0; i < job.stamp_count; i++)
        if (job.stamps[i].kind == 'i')
            return (const char *)data + job.stamps[i].offset;
    die("OFFSETS name no SOP Instance UID");
}

static void run_store(Worker *w)
{
    Association a;
    Buffer command;
    uint8_t *data = malloc(job.size);
    if (!data)
        die("no memory");
    memcpy(data, job.data, job.size);
    associate(&a, job.port, job.called, CT_IMAGE_STORAGE);
    go(w);
    for (int i = 0; i < job.count; i++) {
        stamp(data, w->number, i);
        command_start(&command, CT_IMAGE_STORAGE, C_STORE, i & 0x7fff, 1);
        command_text(&command, 0x1000, instance_uid(data), UID_LENGTH, 0);
        command_finish(&command);
        send_filled(&a, &command, data, job.size, job.fill);
        Command response = next_message(&a);
        expect_success(&response, "C-STORE");
        if (response.message_id != (i & 0x7fff))
            die("C-STORE %d got the response to %d", i, response.message_id);
    }
    w->end = now();
    release(&a);
    free(data);
}

static void run_query(Worker *w)
{
    int move = !strcmp(job.mode, "move");
    const char *sop_class = move ? STUDY_ROOT_MOVE : STUDY_ROOT_FIND;
    Association a;
    Buffer command;
    associate(&a, job.port, job.called, sop_class);
    go(w);
    for (int i = 0; i < job.count; i++) {
        command_start(&command, sop_class, move ? C_MOVE : C_FIND, i & 0x7fff, 1);
        if (move) {
            command_text(&command, 0x0600, job.destination, strlen(job.destination), ' ');
            command_us(&command, 0x0700, 0);
            command_us(&command, 0x0800, 1);
        }
        command_finish(&command);
        double asked = now();
        send_message(&a, &command, job.data, job.size);
        Command response = next_message(&a);
        for (w->first += now() - asked; (response.status & 0xfffe) == 0xff00; response = next_message(&a))
            w->answers += !move;
        expect_success(&response, move ? "C-MOVE" : "C-FIND");
        if (move)
            w->answers += response.completed;
    }
    w->end = now();
    release(&a);
}

/* The limit of anyone who keeps one file an object: create, write, fdatasync, close. */
static void run_files(Worker *w)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/%d", job.folder, w->number);
    if (mkdir(name, 0777))
        die("%s: %s", name, strerror(errno));
    go(w);
    for (int i = 0; i < job.count; i++) {
        snprintf(name, sizeof name, "%s/%d/%d", job.folder, w->number, i);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (fd < 0 || write(fd, job.data, job.size) != (ssize_t)job.size || fdatasync(fd) || close(fd))
            die("%s: %s", name, strerror(errno));
    }
    w->end = now();
}

static void *drain(void *argument)
{
    static char buffer[PDU_MAX];
    int fd = (int)(intptr_t)argument;
    while (read(fd, buffer, sizeof buffer) > 0)
        continue;
    if (write(fd, "", 1) != 1)
        die("loopback: %s", strerror(errno));
    return NULL;
}

/* Bytes through one TCP connection to ourselves, until the receiver has read the last of them. */
static void loopback(unsigned long long total)
{
    static char buffer[PDU_MAX];
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1))
        die("loopback: %s", strerror(errno));
    getsockname(listener, (struct sockaddr *)&address, &size);
    int fd = dial(ntohs(address.sin_port)), other = accept(listener, NULL, NULL);
    pthread_create(&thread, NULL, drain, (void *)(intptr_t)other);
    double start = now();
    for (unsigned long long sent = 0; sent < total; sent += sizeof buffer)
        send_all(fd, &(struct iovec){buffer, sizeof buffer}, 1);
    shutdown(fd, SHUT_WR);
    if (read(fd, buffer, 1) != 1)
        die("loopback: %s", strerror(errno));
    printf("{\"bytes\": %llu, \"seconds\": %.6f}\n", total, now() - start);
}

static const struct {
    const char *mode;
    void (*run)(Worker *);
} modes[] = {
    {"echo", run_echo},   {"assoc", run_associations}, {"idle", run_idle},   {"store", run_store},
    {"find", run_query},  {"move", run_query},         {"files", run_files}, {"chatty", run_chatty},
};

static void *run_worker(void *argument)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(job.mode, modes[i].mode)) {
            modes[i].run(argument);
            return NULL;
        }
    die("unknown mode %s", job.mode);
}

static void run_threads(void)
{
    Worker *workers = calloc(job.threads, sizeof *workers);
    pthread_t *threads = calloc(job.threads, sizeof *threads);
    pthread_barrier_init(&all_open, NULL, job.threads);
    for (int i = 0; i < job.threads; i++) {
        workers[i].number = i;
        if (pthread_create(&threads[i], NULL, run_worker, &workers[i]))
            die("no thread");
    }
    double start = 1e300, end = 0, first = 0;
    unsigned long answers = 0;
    for (int i = 0; i < job.threads; i++) {
        pthread_join(threads[i], NULL);
        start = workers[i].start < start ? workers[i].start : start;
        end = workers[i].end > end ? workers[i].end : end;
        first += workers[i].first;
        answers += workers[i].answers;
    }
    long count = (long)job.threads * job.count;
    printf("{\"count\": %ld, \"seconds\": %.6f, \"answers\": %lu, \"first_seconds\": %.6f}\n", count, end - start,
           answers, first / count);
}

static void read_data(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &info) || !(job.data = malloc(info.st_size)))
        die("%s: %s", path, strerror(errno));
    job.size = info.st_size;
    if (read(fd, job.data, job.size) != (ssize_t)job.size)
        die("%s: short read", path);
    close(fd);
}

/* "i120,s188,e250,p300": where which identifier lies. */
static void read_offsets(const char *text)
{
    for (char *end; *text; text = *end ? end + 1 : end) {
        Stamp s = {*text, strtoul(text + 1, &end, 10)};
        if (job.stamp_count == 32 || s.offset + UID_LENGTH > job.size)
            die("bad OFFSETS");
        job.stamps[job.stamp_count++] = s;
    }
}

int main(int argc, char **argv)
{
    job.mode = argc > 1 ? argv[1] : "";
    if (!strcmp(job.mode, "sink")) {
        run_sink();
        return 0;
    }
    if (!strcmp(job.mode, "loopback") && argc == 3) {
        loopback(strtoull(argv[2], NULL, 10));
        return 0;
    }
    if (argc < 6)
        die("see the head of main.c for the arguments");
    job.called = argv[3];
    job.threads = atoi(argv[4]);
    job.count = atoi(argv[5]);
    if (!strcmp(job.mode, "files")) {
        job.folder = argv[2];
        job.size = strtoul(argv[3], NULL, 10);
        job.data = calloc(1, job.size);
    } else {
        job.port = atoi(argv[2]);
    }
    if (argc > 6)
        read_data(argv[6]);
    if (argc >= 9) {
        read_offsets(argv[7]);
        job.run = atoi(argv[8]);
        job.fill = argc > 9 ? strtoull(argv[9], NULL, 10) : 0;
    } else if (argc == 8) {
        job.destination = argv[7];
    }
    run_threads();
    return 0;
}
