/* The loads, and what the command line says of them. */
#ifndef LOADS_H
#define LOADS_H

#include <stddef.h>
#include <stdint.h>

enum { PATCHES_MAX = 64, THREADS_MAX = 1024 };

/* Decimal digits that are written over at an offset of the template: of which number. */
struct patch {
    char kind; /* 'i' instance, 'e' series, 't' study */
    size_t offset;
    int digits;
};

struct options {
    const char *host, *called, *sop_class, *syntax, *file, *destination, *folder;
    int port, associations, window;
    double seconds;   /* a load ends when this has passed */
    long count;       /* or each association has done so many */
    long per_series, per_study, keys, pause_us;
    uint64_t fill, size;
    struct patch patches[PATCHES_MAX];
    int patch_count;
};

/* What one thread did: operations, bytes, answers, latencies in microseconds. */
struct tally {
    long operations, failed;
    uint64_t bytes;
    long answers, completed, refused, warnings;
    uint32_t *latency_us;
    size_t latencies, room;
    double first, last; /* when it began and when its last operation ended */
};

extern struct options options;

void note(struct tally *tally, double began);
/* Runs `work` in options.associations threads that begin together, and prints the sum as JSON. */
typedef void work(int number, struct tally *tally, void (*ready)(void));
void run_threads(work *work);
/* Whether a thread that has done `done` operations since `began` goes on. */
int goes_on(long done, double began);
void apply_patches(uint8_t *data, long instance, long series, long study);

work store_load, find_load;

#endif
