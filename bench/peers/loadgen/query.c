/* C-ECHO, associations, C-FIND and C-MOVE as requestor. */
#define _GNU_SOURCE
#include "loads.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void echo(struct peer *peer, struct tally *tally)
{
    uint8_t command[256];
    struct command response;
    double start = now();
    size_t size = request(command, C_ECHO, VERIFICATION, peer->next_message_id++, 0);
    send_message(peer, 1, command, size, NULL);
    expect_response(peer, &response, C_ECHO);
    tally->failed += response.status != 0;
    note(tally, start);
}

void echo_load(int number, struct tally *tally, void (*ready)(void))
{
    struct peer *peer = calloc(1, sizeof *peer);
    (void)number;
    associate(peer, options.host, options.port, options.called, VERIFICATION, IMPLICIT_LE);
    ready();
    double began = now();
    for (long done = 0; goes_on(done, began); done++) {
        echo(peer, tally);
        if (options.pause_us)
            usleep((useconds_t)options.pause_us);
    }
    release(peer);
    free(peer);
}

void association_load(int number, struct tally *tally, void (*ready)(void))
{
    struct peer *peer = calloc(1, sizeof *peer);
    struct tally echoes = {0};
    (void)number;
    ready();
    double began = now();
    for (long done = 0; goes_on(done, began); done++) {
        double start = now();
        associate(peer, options.host, options.port, options.called, VERIFICATION, IMPLICIT_LE);
        echo(peer, &echoes);
        release(peer);
        note(tally, start);
    }
    tally->failed = echoes.failed;
    free(echoes.latency_us);
    free(peer);
}

int idle_load(void)
{
    struct peer *peers = calloc((size_t)options.associations, sizeof *peers);
    for (int at = 0; at < options.associations; at++)
        associate(&peers[at], options.host, options.port, options.called, VERIFICATION, IMPLICIT_LE);
    printf("{\"associations\": %d}\n", options.associations);
    fflush(stdout);
    while (getchar() != EOF)
        ; /* until whoever measures has measured; the connections end with us */
    return 0;
}

/* The responses to a request that is sent: how many pending ones, and the final one. */
static long pending(struct peer *peer, struct command *response, uint16_t field)
{
    long count = 0;
    for (;;) {
        expect_response(peer, response, field);
        if (response->status != 0xFF00 && response->status != 0xFF01)
            return count;
        count++;
    }
}

void find_load(int number, struct tally *tally, void (*ready)(void))
{
    struct peer *peer = calloc(1, sizeof *peer);
    size_t size;
    uint8_t *identifier = whole_file(options.file, &size), command[512];
    struct body body = {identifier, size, 0};
    associate(peer, options.host, options.port, options.called, options.sop_class, IMPLICIT_LE);
    ready();
    double began = now();
    for (long done = 0; goes_on(done, began); done++) {
        struct command response;
        long key = (done * 7919 + number) % options.keys; /* another key each time, spread out */
        apply_patches(identifier, key, key, key);
        double start = now();
        send_message(peer, 1, command, request(command, C_FIND, options.sop_class, peer->next_message_id++, 1),
                     &body);
        tally->answers += pending(peer, &response, C_FIND);
        tally->failed += response.status != 0;
        note(tally, start);
    }
    release(peer);
    free(identifier);
    free(peer);
}

void move_load(int number, struct tally *tally, void (*ready)(void))
{
    struct peer *peer = calloc(1, sizeof *peer);
    size_t size;
    uint8_t *identifier = whole_file(options.file, &size), command[512];
    struct body body = {identifier, size, 0};
    associate(peer, options.host, options.port, options.called, options.sop_class, IMPLICIT_LE);
    ready();
    double began = now();
    for (long done = 0; goes_on(done, began); done++) {
        struct command response;
        long key = (done + number) % options.keys;
        apply_patches(identifier, key, key, key);
        double start = now();
        size_t length = request(command, C_MOVE, options.sop_class, peer->next_message_id++, 1);
        length += put_text(command + length, 0x0600, options.destination, ' ');
        send_message(peer, 1, command, put_group_length(command, length), &body);
        tally->answers += pending(peer, &response, C_MOVE);
        tally->completed += response.completed;
        tally->refused += response.failed;
        tally->warnings += response.warning;
        tally->failed += response.status != 0;
        note(tally, start);
    }
    release(peer);
    free(identifier);
    free(peer);
}
