/* A Storage SCP that accepts everything with its first transfer syntax, counts and discards: the C-MOVE destination. */
#include "sink.h"
#include "wire.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static atomic_ullong objects, bytes;

/* One accepted context: the first of its proposed transfer syntaxes. PS3.8 9.3.3.2. */
static void accept_context(Buffer *out, const uint8_t *item, size_t length)
{
    for (const uint8_t *at = item + 4, *end = item + length; at + 4 <= end; at += 4 + (at[2] << 8 | at[3])) {
        if (at[0] != 0x40)
            continue;
        Buffer context = {.length = 0};
        put(&context, (uint8_t[]){item[0], 0, 0, 0}, 4);
        put_item(&context, 0x40, at + 4, at[2] << 8 | at[3]);
        put_item(out, 0x21, context.bytes, context.length);
        return;
    }
    die("a presentation context without a transfer syntax");
}

static void accept_association(Association *a, Pdv request)
{
    Buffer out = {.length = 0}, user = {.length = 0};
    put(&out, (uint8_t[]){PDU_ASSOCIATE_AC, 0, 0, 0, 0, 0}, 6);
    put(&out, request.data, 68); /* version, titles and reserved bytes come back as they were */
    put_item(&out, 0x10, APPLICATION_CONTEXT, strlen(APPLICATION_CONTEXT));
    for (const uint8_t *at = request.data + 68, *end = request.data + request.length; at + 4 <= end;) {
        size_t size = at[2] << 8 | at[3];
        if (at[0] == 0x20)
            accept_context(&out, at + 4, size);
        at += 4 + size;
    }
    put(&user, (uint8_t[]){0x51, 0, 0, 4}, 4);
    put_u32be(&user, PDU_MAX);
    put_item(&user, 0x52, IMPLEMENTATION, strlen(IMPLEMENTATION));
    put_item(&out, 0x50, user.bytes, user.length);
    out.bytes[4] = (out.length - 6) >> 8;
    out.bytes[5] = out.length - 6;
    send_all(a->fd, &(struct iovec){out.bytes, out.length}, 1);
}

static void answer(Association *a, const Command *request, int context)
{
    Buffer out;
    command_start(&out, request->sop_class, request->field | RESPONSE, request->message_id, 0);
    command_us(&out, 0x0900, 0x0000);
    if (request->field == C_STORE)
        command_text(&out, 0x1000, request->sop_instance, strlen(request->sop_instance), 0);
    command_finish(&out);
    uint32_t pdv = out.length + 2, pdu = out.length + 6;
    uint8_t head[12] = {PDU_DATA, 0, 0, 0, pdu >> 8, pdu, 0, 0, pdv >> 8, pdv, context, 3};
    struct iovec parts[2] = {{head, 12}, {out.bytes, out.length}};
    send_all(a->fd, parts, 2);
}

static void take(Association *a, const Pdv *pdv, Command *message)
{
    if (pdv->control & 1) {
        if (pdv->length > COMMAND_MAX - a->command_length)
            die("a Command Set above %d bytes", COMMAND_MAX);
        memcpy(a->command + a->command_length, pdv->data, pdv->length);
        a->command_length += pdv->length;
        if (!(pdv->control & 2))
            return;
        parse_command(a->command, a->command_length, message);
        a->command_length = 0;
        if (message->has_data)
            return;
    } else {
        bytes += pdv->length;
        if (!(pdv->control & 2))
            return;
        objects++;
    }
    answer(a, message, pdv->context);
}

static void *serve(void *argument)
{
    Association a;
    Command message = {0};
    association_on(&a, (int)(intptr_t)argument);
    for (;;) {
        Pdv pdv = next_pdv(&a);
        if (pdv.type == PDU_DATA)
            take(&a, &pdv, &message);
        else if (pdv.type == PDU_ASSOCIATE_RQ && pdv.length >= 68)
            accept_association(&a, pdv);
        else {
            if (pdv.type == PDU_RELEASE_RQ)
                send_all(a.fd, &(struct iovec){(uint8_t[10]){PDU_RELEASE_RP, 0, 0, 0, 0, 4}, 10}, 1);
            association_end(&a);
            return NULL;
        }
    }
}

static void *accept_forever(void *argument)
{
    for (;;) {
        pthread_t thread;
        int fd = accept((int)(intptr_t)argument, NULL, NULL);
        if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
            die("cannot take a connection");
        pthread_detach(thread);
    }
}

/* Prints its port, then, for every line on stdin, the objects and bytes so far; ends with stdin. */
void run_sink(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    pthread_t thread;
    char line[16];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 128))
        die("cannot listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_create(&thread, NULL, accept_forever, (void *)(intptr_t)fd);
    while (fgets(line, sizeof line, stdin)) {
        printf("{\"objects\": %llu, \"bytes\": %llu}\n", objects, bytes);
        fflush(stdout);
    }
}
