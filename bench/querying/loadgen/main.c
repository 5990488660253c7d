/* loadgen COMMAND [options]: one load against one server, its figures as one line of JSON. */
#define _GNU_SOURCE
#include "loads.h"
#include "wire.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct options options = {
    .host = "127.0.0.1",
    .called = "ANY",
    .syntax = "1.2.840.10008.1.2.1",
    .associations = 1,
    .count = 1000000000,
    .seconds = 1e9,
    .per_series = 100,
    .per_study = 200,
    .keys = 1,
};

static pthread_barrier_t everybody;
static work *chosen;

void note(struct tally *tally, double began)
{
    tally->last = now();
    tally->operations++;
    if (tally->latencies == tally->room) {
        tally->room = tally->room ? tally->room * 2 : 4096;
        tally->latency_us = realloc(tally->latency_us, tally->room * sizeof *tally->latency_us);
    }
    tally->latency_us[tally->latencies++] = (uint32_t)((tally->last - began) * 1e6);
}

int goes_on(long done, double began)
{
    return done < options.count && now() - began < options.seconds;
}

static _Thread_local struct tally *mine;

static void ready(void)
{
    pthread_barrier_wait(&everybody);
    mine->first = mine->last = now();
}

struct job {
    int number;
    struct tally tally;
};

static void *run(void *argument)
{
    struct job *job = argument;
    mine = &job->tally;
    chosen(job->number, &job->tally, ready);
    return NULL;
}

static int by_value(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void print_sum(struct job *jobs, int count)
{
    struct tally sum = {.first = jobs[0].tally.first};
    for (int at = 0; at < count; at++) {
        const struct tally *one = &jobs[at].tally;
        sum.operations += one->operations, sum.failed += one->failed, sum.bytes += one->bytes;
        sum.answers += one->answers, sum.completed += one->completed, sum.refused += one->refused;
        sum.warnings += one->warnings;
        sum.first = one->first < sum.first ? one->first : sum.first;
        sum.last = one->last > sum.last ? one->last : sum.last;
        sum.latencies += one->latencies;
    }
    uint32_t *all = malloc((sum.latencies + 1) * sizeof *all), *to = all;
    for (int at = 0; at < count; at++) {
        memcpy(to, jobs[at].tally.latency_us, jobs[at].tally.latencies * sizeof *all);
        to += jobs[at].tally.latencies;
    }
    qsort(all, sum.latencies, sizeof *all, by_value);
    size_t end = sum.latencies ? sum.latencies - 1 : 0;
    all[sum.latencies] = 0;
    printf("{\"operations\": %ld, \"failed\": %ld, \"bytes\": %llu, \"seconds\": %.6f, \"answers\": %ld, "
           "\"completed\": %ld, \"refused\": %ld, \"warnings\": %ld, "
           "\"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
           sum.operations, sum.failed, (unsigned long long)sum.bytes, sum.last - sum.first, sum.answers,
           sum.completed, sum.refused, sum.warnings, all[end / 2], all[end * 99 / 100], all[end]);
}

void run_threads(work *work)
{
    int count = options.associations;
    pthread_t threads[THREADS_MAX];
    struct job *jobs = calloc((size_t)count, sizeof *jobs);
    if (count < 1 || count > THREADS_MAX)
        die("1 to %d associations", THREADS_MAX);
    chosen = work;
    pthread_barrier_init(&everybody, NULL, (unsigned)count);
    for (int at = 0; at < count; at++) {
        jobs[at].number = at;
        if (pthread_create(&threads[at], NULL, run, &jobs[at]))
            die("no more threads");
    }
    for (int at = 0; at < count; at++)
        pthread_join(threads[at], NULL);
    print_sum(jobs, count);
}

static void add_patch(const char *text)
{
    struct patch *patch = &options.patches[options.patch_count++];
    if (options.patch_count > PATCHES_MAX || sscanf(text, "%c:%zu:%d", &patch->kind, &patch->offset, &patch->digits) != 3)
        die("--patch takes kind:offset:digits, at most %d times", PATCHES_MAX);
}

enum { PORT, CALLED, CLASS, SYNTAX, FILE_NAME, DESTINATION, FOLDER, ASSOCIATIONS, WINDOW, SECONDS, COUNT,
       PER_SERIES, PER_STUDY, KEYS, PAUSE, FILL, SIZE, PATCH };
static const struct option known[] = {
    {"port", 1, 0, PORT}, {"called", 1, 0, CALLED}, {"class", 1, 0, CLASS}, {"syntax", 1, 0, SYNTAX},
    {"file", 1, 0, FILE_NAME}, {"destination", 1, 0, DESTINATION}, {"folder", 1, 0, FOLDER},
    {"associations", 1, 0, ASSOCIATIONS}, {"window", 1, 0, WINDOW}, {"seconds", 1, 0, SECONDS},
    {"count", 1, 0, COUNT}, {"per-series", 1, 0, PER_SERIES}, {"per-study", 1, 0, PER_STUDY},
    {"keys", 1, 0, KEYS}, {"pause-us", 1, 0, PAUSE}, {"fill", 1, 0, FILL}, {"size", 1, 0, SIZE},
    {"patch", 1, 0, PATCH}, {0, 0, 0, 0},
};

static void read_options(int argc, char **argv)
{
    int which;
    while ((which = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (which) {
        case PORT: options.port = atoi(optarg); break;
        case CALLED: options.called = optarg; break;
        case CLASS: options.sop_class = optarg; break;
        case SYNTAX: options.syntax = optarg; break;
        case FILE_NAME: options.file = optarg; break;
        case DESTINATION: options.destination = optarg; break;
        case FOLDER: options.folder = optarg; break;
        case ASSOCIATIONS: options.associations = atoi(optarg); break;
        case WINDOW: options.window = atoi(optarg); break;
        case SECONDS: options.seconds = atof(optarg); break;
        case COUNT: options.count = atol(optarg); break;
        case PER_SERIES: options.per_series = atol(optarg); break;
        case PER_STUDY: options.per_study = atol(optarg); break;
        case KEYS: options.keys = atol(optarg); break;
        case PAUSE: options.pause_us = atol(optarg); break;
        case FILL: options.fill = strtoull(optarg, NULL, 10); break;
        case SIZE: options.size = strtoull(optarg, NULL, 10); break;
        case PATCH: add_patch(optarg); break;
        default: exit(2);
        }
    }
}

static const struct { const char *name; work *load; } commands[] = {
    {"store", store_load}, {"find", find_load},
};

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc < 2)
        die("usage: loadgen COMMAND [--port N] [--called T] ...");
    read_options(argc - 1, argv + 1);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t at = 0; at < sizeof commands / sizeof *commands; at++)
        if (strcmp(argv[1], commands[at].name) == 0) {
            run_threads(commands[at].load);
            return 0;
        }
    die("%s is no load", argv[1]);
}
