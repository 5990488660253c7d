/* C-FIND as requestor: another key each time. */
#define _GNU_SOURCE
#include "loads.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
