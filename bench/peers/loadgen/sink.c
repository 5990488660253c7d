/* A Storage SCP that only counts: the C-MOVE destination of the bench.
 *
 * Prints its port; prints and resets its counters for every line on standard input; ends with it.
 */
#define _GNU_SOURCE
#include "loads.h"
#include "wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_long objects, associations;
static atomic_ullong bytes;

/* The answer to one proposed context: accepted with its first transfer syntax. */
static size_t put_verdict(uint8_t *to, const uint8_t *proposed, size_t length)
{
    uint8_t *at = to + 4;
    at[0] = proposed[0], at[1] = 0, at[2] = 0, at[3] = 0;
    size_t size = 4;
    for (size_t in = 4; in + 4 <= length;) {
        size_t inner = ((size_t)proposed[in + 2] << 8 | proposed[in + 3]) + 4;
        if (proposed[in] == 0x40 && in + inner <= length) {
            memcpy(at + size, proposed + in, inner);
            size += inner;
            break;
        }
        in += inner;
    }
    to[0] = 0x21, to[1] = 0, to[2] = (uint8_t)(size >> 8), to[3] = (uint8_t)size;
    return size + 4;
}

static size_t put_user_information(uint8_t *to, int window)
{
    static const char implementation[] = "1.2.826.0.1.3680043.10.1561.3";
    size_t size = 4;
    uint8_t maximum[] = {0x51, 0, 0, 4, 0, 0, 0, 0};
    put32be(maximum + 4, ANNOUNCED_MAX);
    memcpy(to + size, maximum, sizeof maximum);
    size += sizeof maximum;
    uint8_t head[] = {0x52, 0, 0, sizeof implementation - 1};
    memcpy(to + size, head, sizeof head);
    memcpy(to + size + 4, implementation, sizeof implementation - 1);
    size += 4 + sizeof implementation - 1;
    if (window) { /* as many outstanding operations as the other side likes. PS3.7 D.3.3.3 */
        uint8_t granted[] = {0x53, 0, 0, 4, 0, 0, 0, 1};
        memcpy(to + size, granted, sizeof granted);
        size += sizeof granted;
    }
    uint8_t item[] = {0x50, 0, (uint8_t)((size - 4) >> 8), (uint8_t)(size - 4)};
    memcpy(to, item, sizeof item);
    return size;
}

/* Reads the A-ASSOCIATE-RQ and accepts all of it; 0 when the connection ended first. */
static int accept_association(struct peer *peer)
{
    static const size_t room = 1 << 17;
    uint8_t head[PDU_HEAD], *request = malloc(room), *answer = malloc(room);
    int window = 0;
    if (peer->at == peer->used && !fill_buffer(peer))
        return 0;
    read_exactly(peer, head, sizeof head);
    size_t size = get32be(head + 2), out = PDU_HEAD + 68;
    if (head[0] != ASSOCIATE_RQ || size > room / 2 || size < 68)
        die("sink: PDU type %d of %zu bytes where a request was due", head[0], size);
    read_exactly(peer, request, size);
    memcpy(answer + PDU_HEAD, request, 68);
    for (size_t at = 68; at + 4 <= size;) {
        const uint8_t *item = request + at;
        size_t length = (size_t)item[2] << 8 | item[3];
        if (item[0] == 0x10) {
            memcpy(answer + out, item, length + 4);
            out += length + 4;
        } else if (item[0] == 0x20) {
            out += put_verdict(answer + out, item + 4, length);
        }
        for (size_t in = 4; item[0] == 0x50 && in + 4 <= length + 4;) {
            window |= item[in] == 0x53 && options.window;
            if (item[in] == 0x51)
                peer->pdu_max = get32be(item + in + 4);
            in += 4 + ((size_t)item[in + 2] << 8 | item[in + 3]);
        }
        at += length + 4;
    }
    out += put_user_information(answer + out, window);
    answer[0] = ASSOCIATE_AC, answer[1] = 0;
    put32be(answer + 2, (uint32_t)(out - PDU_HEAD));
    send_all(peer->fd, answer, out);
    free(request);
    free(answer);
    return 1;
}

static void respond(struct peer *peer, const struct command *to)
{
    uint8_t command[512];
    size_t size = 12;
    size += put_text(command + size, 0x0002, to->sop_class, 0);
    size += put_number(command + size, 0x0100, to->field | 0x8000);
    size += put_number(command + size, 0x0120, to->message_id);
    size += put_number(command + size, 0x0800, 0x0101);
    size += put_number(command + size, 0x0900, 0);
    if (to->sop_instance[0])
        size += put_text(command + size, 0x1000, to->sop_instance, 0);
    send_message(peer, to->context_id, command, put_group_length(command, size), NULL);
}

static void *serve(void *argument)
{
    struct peer *peer = argument;
    struct command command;
    int ended = 0;
    if (accept_association(peer)) {
        associations++;
        for (;;) {
            uint64_t size = read_message(peer, &command, &ended);
            if (ended)
                break;
            if (command.field == C_STORE) {
                objects++;
                bytes += size;
            }
            respond(peer, &command);
        }
    }
    if (ended == 1) {
        uint8_t out[] = {RELEASE_RP, 0, 0, 0, 0, 4, 0, 0, 0, 0};
        send(peer->fd, out, sizeof out, MSG_NOSIGNAL);
    }
    close(peer->fd);
    free(peer);
    return NULL;
}

static void *report(void *argument)
{
    char line[64];
    (void)argument;
    while (fgets(line, sizeof line, stdin)) {
        printf("{\"objects\": %ld, \"bytes\": %llu, \"associations\": %ld}\n", atomic_exchange(&objects, 0),
               atomic_exchange(&bytes, 0), atomic_exchange(&associations, 0));
        fflush(stdout);
    }
    exit(0);
}

int sink(void)
{
    pthread_t thread;
    int port, listener = listen_on_loopback(&port);
    printf("{\"port\": %d}\n", port);
    fflush(stdout);
    pthread_create(&thread, NULL, report, NULL);
    for (;;) {
        struct peer *peer = calloc(1, sizeof *peer);
        peer->fd = accept(listener, NULL, NULL);
        if (peer->fd < 0)
            die("sink: accept failed");
        prepare_socket(peer->fd);
        pthread_create(&thread, NULL, serve, peer);
        pthread_detach(thread);
    }
}
