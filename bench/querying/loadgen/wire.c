#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

uint8_t filling[FILLING_SIZE];

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void *whole_file(const char *path, size_t *size)
{
    struct stat info;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &info) < 0)
        die("%s: %s", path, strerror(errno));
    *size = (size_t)info.st_size;
    uint8_t *data = malloc(*size + 1);
    if (!data || read(fd, data, *size) != (ssize_t)*size)
        die("%s: cannot be read", path);
    close(fd);
    return data;
}

uint32_t get32be(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void put32be(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24), to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8), to[3] = (uint8_t)value;
}

/* ---------------------------------------------------------------------------- connections */

static void quick_ack(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on); /* the kernel forgets it again */
}

void prepare_socket(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    quick_ack(fd);
}

int dial(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("%s is no IPv4 address", host);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect: %s", strerror(errno));
    prepare_socket(fd);
    return fd;
}

int listen_on_loopback(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1024) < 0)
        die("cannot listen: %s", strerror(errno));
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

void send_all(int fd, const void *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0)
            die("send: %s", strerror(errno));
        data = (const uint8_t *)data + sent;
        size -= (size_t)sent;
    }
}

void send_parts(int fd, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    while (message.msg_iovlen) {
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            die("send: %s", strerror(errno));
        while (message.msg_iovlen && (size_t)sent >= message.msg_iov->iov_len) {
            sent -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen) {
            message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= (size_t)sent;
        }
    }
}

size_t fill_buffer(struct peer *peer)
{
    ssize_t count = recv(peer->fd, peer->in, IN_SIZE, 0);
    quick_ack(peer->fd);
    peer->at = 0;
    peer->used = count > 0 ? (size_t)count : 0;
    return peer->used;
}

void read_exactly(struct peer *peer, void *to, size_t size)
{
    while (size) {
        if (peer->at == peer->used && !fill_buffer(peer))
            die("the peer closed the connection");
        size_t held = peer->used - peer->at, taken = held < size ? held : size;
        memcpy(to, peer->in + peer->at, taken);
        peer->at += taken;
        to = (uint8_t *)to + taken;
        size -= taken;
    }
}

void discard(struct peer *peer, size_t size)
{
    size_t held = peer->used - peer->at, taken = held < size ? held : size;
    peer->at += taken;
    size -= taken;
    while (size) { /* dropped inside the kernel: a counting sink has no use for a copy */
        ssize_t count = recv(peer->fd, NULL, size, MSG_TRUNC);
        quick_ack(peer->fd);
        if (count <= 0)
            die("the peer closed the connection inside a Data Set");
        size -= (size_t)count;
    }
}

/* --------------------------------------------------------------------------- associations */

static size_t put_item(uint8_t *to, uint8_t type, const void *value, size_t size)
{
    to[0] = type, to[1] = 0, to[2] = (uint8_t)(size >> 8), to[3] = (uint8_t)size;
    memmove(to + 4, value, size);
    return size + 4;
}

static size_t put_uid(uint8_t *to, uint8_t type, const char *uid)
{
    return put_item(to, type, uid, strlen(uid));
}

static void put_title(uint8_t *to, const char *title)
{
    size_t size = strlen(title);
    memset(to, ' ', 16);
    memcpy(to, title, size < 16 ? size : 16);
}

static size_t associate_request(uint8_t *to, const char *called, const char *abstract, const char *syntax)
{
    uint8_t inner[512] = {1}, user[128], *at = to + PDU_HEAD + 68;
    memset(to, 0, PDU_HEAD + 68);
    to[0] = ASSOCIATE_RQ;
    to[PDU_HEAD + 1] = 1;
    put_title(to + PDU_HEAD + 4, called);
    put_title(to + PDU_HEAD + 20, "LOADGEN");
    at += put_uid(at, 0x10, "1.2.840.10008.3.1.1.1");
    size_t size = 4;
    size += put_uid(inner + size, 0x30, abstract);
    size += put_uid(inner + size, 0x40, syntax);
    at += put_item(at, 0x20, inner, size);
    uint8_t announced[4];
    put32be(announced, ANNOUNCED_MAX);
    size = put_item(user, 0x51, announced, 4);
    size += put_uid(user + size, 0x52, "1.2.826.0.1.3680043.10.1561.2");
    at += put_item(at, 0x50, user, size);
    put32be(to + 2, (uint32_t)(at - to - PDU_HEAD));
    return (size_t)(at - to);
}

/* The maximum length in an A-ASSOCIATE-AC, and whether its one context was accepted. */
static void take_accept(struct peer *peer, const uint8_t *body, size_t size)
{
    int accepted = 0;
    for (size_t at = 68; at + 4 <= size;) {
        size_t length = (size_t)body[at + 2] << 8 | body[at + 3];
        const uint8_t *value = body + at + 4;
        if (body[at] == 0x21 && length >= 4)
            accepted = value[2] == 0;
        for (size_t in = 0; body[at] == 0x50 && in + 8 <= length;) {
            size_t inner = (size_t)value[in + 2] << 8 | value[in + 3];
            if (value[in] == 0x51)
                peer->pdu_max = get32be(value + in + 4);
            in += 4 + inner;
        }
        at += 4 + length;
    }
    if (!accepted)
        die("the presentation context was not accepted");
}

void associate(struct peer *peer, const char *host, int port, const char *called, const char *abstract,
               const char *syntax)
{
    uint8_t out[1024], head[PDU_HEAD], body[65536];
    peer->fd = dial(host, port);
    peer->at = peer->used = 0;
    peer->next_message_id = 1;
    send_all(peer->fd, out, associate_request(out, called, abstract, syntax));
    read_exactly(peer, head, sizeof head);
    uint32_t size = get32be(head + 2);
    if (size > sizeof body)
        die("an answer of %u bytes to the association request", size);
    read_exactly(peer, body, size);
    if (head[0] == ASSOCIATE_RJ)
        die("association rejected: result %d source %d reason %d", body[1], body[2], body[3]);
    if (head[0] != ASSOCIATE_AC)
        die("PDU type %d in answer to the association request", head[0]);
    take_accept(peer, body, size);
    if (peer->pdu_max == 0 || peer->pdu_max > FILLING_SIZE)
        peer->pdu_max = FILLING_SIZE;
}

void release(struct peer *peer)
{
    uint8_t out[] = {RELEASE_RQ, 0, 0, 0, 0, 4, 0, 0, 0, 0}, in[10];
    send_all(peer->fd, out, sizeof out);
    read_exactly(peer, in, sizeof in);
    if (in[0] != RELEASE_RP)
        die("PDU type %d in answer to the release request", in[0]);
    close(peer->fd);
}
