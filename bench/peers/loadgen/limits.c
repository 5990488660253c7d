/* What the machine can do without any DICOM: durable files, page cache, loopback. */
#define _GNU_SOURCE
#include "loads.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t block[1 << 20];

/* A new file of options.size bytes, written, fdatasync'ed and closed, as often as there is time. */
void file_load(int number, struct tally *tally, void (*ready)(void))
{
    char path[4096];
    ready();
    double began = now();
    for (long done = 0; goes_on(done, began); done++) {
        snprintf(path, sizeof path, "%s/%d-%ld", options.folder, number, done);
        double start = now();
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (fd < 0)
            die("%s: %s", path, strerror(errno));
        for (uint64_t left = options.size; left;) {
            ssize_t wrote = write(fd, block, left < sizeof block ? left : sizeof block);
            if (wrote < 0)
                die("%s: %s", path, strerror(errno));
            left -= (uint64_t)wrote;
        }
        if (fdatasync(fd) < 0)
            die("%s: %s", path, strerror(errno));
        close(fd);
        tally->bytes += options.size;
        note(tally, start);
    }
}

int page_cache(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/page-cache", options.folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    double start = now();
    for (uint64_t left = options.size; left; left -= sizeof block < left ? sizeof block : left)
        if (write(fd, block, sizeof block) != sizeof block)
            die("%s: %s", path, strerror(errno));
    double seconds = now() - start;
    close(fd);
    unlink(path);
    printf("{\"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)options.size, seconds);
    return 0;
}

static void *pour(void *argument)
{
    int fd = dial("127.0.0.1", *(int *)argument);
    for (uint64_t left = options.size; left;) {
        size_t piece = left < sizeof block ? (size_t)left : sizeof block;
        send_all(fd, block, piece);
        left -= piece;
    }
    close(fd);
    return NULL;
}

int loopback(void)
{
    static uint8_t into[1 << 18];
    pthread_t thread;
    int port, listener = listen_on_loopback(&port);
    double start = now();
    pthread_create(&thread, NULL, pour, &port);
    int fd = accept(listener, NULL, NULL);
    while (recv(fd, into, sizeof into, 0) > 0)
        ;
    printf("{\"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)options.size, now() - start);
    pthread_join(thread, NULL);
    return 0;
}
