#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 2 * PDU_MAX, TIMEOUT_S = 60, IOV_COUNT = 512 };

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("loadgen: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* ---- bytes ---- */

uint32_t get_u32be(const uint8_t *at) { return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]; }
static uint32_t get_u32le(const uint8_t *at) { return (uint32_t)at[3] << 24 | at[2] << 16 | at[1] << 8 | at[0]; }
static uint16_t get_u16le(const uint8_t *at) { return (uint16_t)(at[1] << 8 | at[0]); }

void put(Buffer *out, const void *bytes, size_t length)
{
    if (length > sizeof out->bytes - out->length)
        die("a PDU outgrew its buffer");
    memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

void put_u16be(Buffer *out, unsigned value) { put(out, (uint8_t[]){value >> 8, value}, 2); }
void put_u32be(Buffer *out, uint32_t value) { put(out, (uint8_t[]){value >> 24, value >> 16, value >> 8, value}, 4); }

/* An item or sub-item of an A-ASSOCIATE PDU. PS3.8 9.3.2. */
void put_item(Buffer *out, int type, const void *value, size_t length)
{
    put(out, (uint8_t[]){type, 0, length >> 8, length}, 4);
    put(out, value, length);
}

/* ---- Command Sets: Implicit VR Little Endian, PS3.7 6.3 ---- */

static void command_head(Buffer *out, unsigned element, size_t length)
{
    put(out, (uint8_t[]){0, 0, element, element >> 8, length, length >> 8, 0, 0}, 8);
}

void command_us(Buffer *out, unsigned element, unsigned value)
{
    command_head(out, element, 2);
    put(out, (uint8_t[]){value, value >> 8}, 2);
}

void command_text(Buffer *out, unsigned element, const char *value, size_t length, char pad)
{
    command_head(out, element, length + length % 2);
    put(out, value, length);
    put(out, &pad, length % 2);
}

/* Group Length, Affected SOP Class UID, Command Field, Message ID (Being Responded To). Elements of a
 * request that lie between Message ID and Command Data Set Type are the caller's, as are later ones. */
void command_start(Buffer *out, const char *sop_class, unsigned field, unsigned message_id, int has_data)
{
    out->length = 0;
    command_head(out, 0x0000, 4);
    put(out, "\0\0\0\0", 4);
    command_text(out, 0x0002, sop_class, strlen(sop_class), 0);
    command_us(out, 0x0100, field);
    command_us(out, field & RESPONSE ? 0x0120 : 0x0110, message_id);
    if (field == C_MOVE)
        return; /* Move Destination comes before Priority */
    if (has_data && !(field & RESPONSE))
        command_us(out, 0x0700, 0);
    command_us(out, 0x0800, has_data ? 0x0001 : 0x0101);
}

void command_finish(Buffer *out)
{
    uint32_t length = out->length - 12;
    memcpy(out->bytes + 8, (uint8_t[]){length, length >> 8, length >> 16, length >> 24}, 4);
}

static void copy_uid(char *out, const uint8_t *value, size_t length)
{
    if (length > 64)
        die("a UID of %zu bytes", length);
    memcpy(out, value, length);
    out[length] = 0;
}

void parse_command(const uint8_t *bytes, size_t length, Command *out)
{
    memset(out, 0, sizeof *out);
    for (size_t at = 0; at + 8 <= length;) {
        unsigned element = get_u16le(bytes + at + 2);
        size_t size = get_u32le(bytes + at + 4);
        const uint8_t *value = bytes + at + 8;
        if (size > length - at - 8)
            die("a Command Set element is longer than its Command Set");
        at += 8 + size;
        if (element == 0x0002)
            copy_uid(out->sop_class, value, size);
        else if (element == 0x1000)
            copy_uid(out->sop_instance, value, size);
        if (size != 2)
            continue;
        switch (element) {
        case 0x0100: out->field = get_u16le(value); break;
        case 0x0110:
        case 0x0120: out->message_id = get_u16le(value); break;
        case 0x0800: out->has_data = get_u16le(value) != 0x0101; break;
        case 0x0900: out->status = get_u16le(value); break;
        case 0x1020: out->remaining = get_u16le(value); break;
        case 0x1021: out->completed = get_u16le(value); break;
        case 0x1022: out->failed = get_u16le(value); break;
        }
    }
}

/* ---- sockets ---- */

static void set_option(int fd, int level, int name, int value)
{
    if (setsockopt(fd, level, name, &value, sizeof value))
        die("setsockopt: %s", strerror(errno));
}

int dial(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        die("connect: %s", strerror(errno));
    return fd;
}

void send_all(int fd, struct iovec *parts, int count)
{
    while (count) {
        ssize_t sent = writev(fd, parts, count < IOV_COUNT ? count : IOV_COUNT);
        if (sent < 0)
            die("send: %s", strerror(errno));
        while (count && (size_t)sent >= parts->iov_len) {
            sent -= parts->iov_len;
            parts++, count--;
        }
        if (count) {
            parts->iov_base = (char *)parts->iov_base + sent;
            parts->iov_len -= sent;
        }
    }
}

static void send_buffer(int fd, const Buffer *out)
{
    send_all(fd, &(struct iovec){(void *)out->bytes, out->length}, 1);
}

/* Read until `need` bytes lie at buffer + start; 0 when the peer closed in front of the first of them. */
static int fill(Association *a, size_t need)
{
    if (need > BUFFER_SIZE)
        die("the peer sent %zu bytes in one PDV", need);
    if (a->start + need > BUFFER_SIZE || a->start == a->end) {
        memmove(a->buffer, a->buffer + a->start, a->end - a->start);
        a->end -= a->start;
        a->start = 0;
    }
    while (a->end - a->start < need) {
        int quick = 1; /* sends an acknowledgement that is due: a peer with Nagle's algorithm waits for it */
        setsockopt(a->fd, IPPROTO_TCP, TCP_QUICKACK, &quick, sizeof quick);
        ssize_t got = recv(a->fd, a->buffer + a->end, BUFFER_SIZE - a->end, 0);
        if (got < 0)
            die(errno == EAGAIN ? "no answer within %d s" : "receive failed", TIMEOUT_S);
        if (got == 0 && a->end == a->start)
            return 0;
        if (got == 0)
            die("the peer closed inside a PDU");
        a->end += got;
    }
    return 1;
}

/* ---- associations ---- */

void association_on(Association *a, int fd)
{
    memset(a, 0, sizeof *a);
    a->fd = fd;
    a->buffer = malloc(BUFFER_SIZE);
    if (!a->buffer)
        die("no memory");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void association_end(Association *a)
{
    close(a->fd);
    free(a->buffer);
}

static void put_request(Buffer *out, const char *called, const char *sop_class)
{
    Buffer context = {.length = 0}, user = {.length = 0};
    char titles[33];
    out->length = 0;
    put(out, (uint8_t[]){PDU_ASSOCIATE_RQ, 0, 0, 0, 0, 0, 0, 1, 0, 0}, 10);
    snprintf(titles, sizeof titles, "%-16.16s%-16.16s", called, "BENCH");
    put(out, titles, 32);
    put(out, (uint8_t[32]){0}, 32);
    put_item(out, 0x10, APPLICATION_CONTEXT, strlen(APPLICATION_CONTEXT));
    put(&context, (uint8_t[]){1, 0, 0, 0}, 4);
    put_item(&context, 0x30, sop_class, strlen(sop_class));
    put_item(&context, 0x40, EXPLICIT_LE, strlen(EXPLICIT_LE));
    put_item(out, 0x20, context.bytes, context.length);
    put(&user, (uint8_t[]){0x51, 0, 0, 4}, 4);
    put_u32be(&user, PDU_MAX);
    put_item(&user, 0x52, IMPLEMENTATION, strlen(IMPLEMENTATION));
    put_item(out, 0x50, user.bytes, user.length);
    out->bytes[4] = (out->length - 6) >> 8;
    out->bytes[5] = out->length - 6;
}

/* The Maximum Length of an A-ASSOCIATE-AC whose only context must be accepted. */
static uint32_t accepted_length(const uint8_t *at, size_t length)
{
    uint32_t result = PDU_MAX;
    for (const uint8_t *end = at + length; at + 4 <= end;) {
        size_t size = at[2] << 8 | at[3];
        if (at[0] == 0x21 && at[6] != 0)
            die("presentation context rejected, reason %d", at[6]);
        if (at[0] == 0x51 && get_u32be(at + 4))
            result = get_u32be(at + 4);
        at += at[0] == 0x50 ? 4 : 4 + size; /* step into the user information */
    }
    return result < PDU_MAX ? result : PDU_MAX;
}

void associate(Association *a, int port, const char *called, const char *sop_class)
{
    Buffer request;
    struct timeval timeout = {TIMEOUT_S, 0};
    association_on(a, dial(port));
    setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    put_request(&request, called, sop_class);
    send_buffer(a->fd, &request);
    if (!fill(a, 6))
        die("the peer closed instead of answering the association request");
    const uint8_t *head = a->buffer + a->start;
    size_t length = get_u32be(head + 2);
    fill(a, 6 + length);
    head = a->buffer + a->start;
    if (head[0] == PDU_ASSOCIATE_RJ)
        die("association rejected: result %d, source %d, reason %d", head[7], head[8], head[9]);
    if (head[0] != PDU_ASSOCIATE_AC || length < 68)
        die("association answered with PDU type %d", head[0]);
    a->send_max = accepted_length(head + 74, length - 68);
    a->start += 6 + length;
}

void release(Association *a)
{
    uint8_t request[10] = {PDU_RELEASE_RQ, 0, 0, 0, 0, 4};
    send_all(a->fd, &(struct iovec){request, sizeof request}, 1);
    Pdv answer = next_pdv(a);
    if (answer.type != PDU_RELEASE_RP)
        die("release answered with PDU type %d", answer.type);
    association_end(a);
}

/* ---- messages ---- */

/* The next PDV, or a PDU of another type with its body as data; type 0 when the peer closed. */
Pdv next_pdv(Association *a)
{
    Pdv pdv = {.type = PDU_DATA};
    if (!a->pdu_left) {
        if (!fill(a, 6))
            return (Pdv){.type = 0};
        pdv.type = a->buffer[a->start];
        a->pdu_left = get_u32be(a->buffer + a->start + 2);
        a->start += 6;
    }
    pdv.length = a->pdu_left;
    if (pdv.type == PDU_DATA) {
        fill(a, 6);
        const uint8_t *head = a->buffer + a->start;
        pdv.length = get_u32be(head);
        if (pdv.length < 2 || pdv.length + 4 > a->pdu_left)
            die("a PDV of %zu bytes in a PDU of %zu", pdv.length, a->pdu_left);
        pdv.context = head[4];
        pdv.control = head[5];
        pdv.length -= 2;
        a->start += 6;
        a->pdu_left -= 6;
    }
    if (!fill(a, pdv.length) && pdv.length)
        die("the peer closed inside a PDU");
    pdv.data = a->buffer + a->start;
    a->start += pdv.length;
    a->pdu_left -= pdv.length;
    return pdv;
}

/* The next whole message; its Data Set is read and dropped. */
Command next_message(Association *a)
{
    Command command = {0};
    for (int reading_data = 0;;) {
        Pdv pdv = next_pdv(a);
        if (pdv.type != PDU_DATA)
            die(pdv.type ? "the peer sent PDU type %d instead of a response" : "the peer closed (%d)", pdv.type);
        int last = pdv.control & 2;
        if (pdv.control & 1) {
            if (pdv.length > COMMAND_MAX - a->command_length)
                die("a Command Set above %d bytes", COMMAND_MAX);
            memcpy(a->command + a->command_length, pdv.data, pdv.length);
            a->command_length += pdv.length;
            if (!last)
                continue;
            parse_command(a->command, a->command_length, &command);
            a->command_length = 0;
            reading_data = command.has_data;
            if (!reading_data)
                return command;
        } else if (reading_data && last)
            return command;
    }
}

static void put_heads(uint8_t *head, size_t size, int control)
{
    uint32_t pdv = size + 2, pdu = size + 6;
    memcpy(head, (uint8_t[]){PDU_DATA, 0, pdu >> 24, pdu >> 16, pdu >> 8, pdu, pdv >> 24, pdv >> 16, pdv >> 8, pdv, 1, control}, 12);
}

/* Send a Command Set and, where length is not 0, a Data Set in PDUs as long as the peer takes them.
 * goes_on: more of the Data Set follows. */
static void send_parts(Association *a, const Buffer *command, const uint8_t *data, size_t length, int goes_on)
{
    size_t room = (a->send_max - 6) & ~(size_t)1;
    size_t fragments = (length + room - 1) / room;
    uint8_t heads[1 + fragments][12];
    struct iovec parts[2 * (1 + fragments)];
    for (size_t at = 0; at <= fragments; at++) {
        size_t left = length - (at ? at - 1 : 0) * room;
        size_t size = at ? (left < room ? left : room) : command->length;
        put_heads(heads[at], size, at ? (left <= room && !goes_on ? 2 : 0) : 3);
        parts[2 * at] = (struct iovec){heads[at], 12};
        parts[2 * at + 1] = (struct iovec){(void *)(at ? data + (at - 1) * room : command->bytes), size};
    }
    send_all(a->fd, parts, 2 * (1 + fragments));
}

void send_message(Association *a, const Buffer *command, const uint8_t *data, size_t length)
{
    send_parts(a, command, data, length, 0);
}

/* As send_message, with `fill` zeros behind the data: an object of any size without its memory. */
void send_filled(Association *a, const Buffer *command, const uint8_t *data, size_t length, uint64_t fill)
{
    static uint8_t zeros[PDU_MAX];
    size_t room = (a->send_max - 6) & ~(size_t)1;
    uint8_t head[12];
    send_parts(a, command, data, length, fill != 0);
    while (fill) {
        size_t size = fill < room ? fill : room;
        fill -= size;
        put_heads(head, size, fill ? 0 : 2);
        send_all(a->fd, (struct iovec[]){{head, 12}, {zeros, size}}, 2);
    }
}
