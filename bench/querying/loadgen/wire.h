/* The part of the DICOM upper layer and of DIMSE that a load generator needs. PS3.7 9.3, PS3.8 9.3.
 *
 * Made to cost little beside the server that is measured: blocking sockets, one thread for each
 * association, TCP_NODELAY and TCP_QUICKACK, Data Sets sent from memory by sendmsg without copies.
 * Whatever goes wrong ends the process with a message: a load that did not run has no figures.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { ASSOCIATE_RQ = 1, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT };
enum { C_STORE = 0x0001, C_FIND = 0x0020, C_MOVE = 0x0021, C_ECHO = 0x0030 };
enum { PDU_HEAD = 6, PDV_HEAD = 6, IN_SIZE = 1 << 16, COMMAND_MAX = 4096, FILLING_SIZE = 1 << 20 };
enum { CONTROL_DATA = 0, CONTROL_COMMAND = 1, CONTROL_LAST = 2 };

#define VERIFICATION "1.2.840.10008.1.1"
#define IMPLICIT_LE "1.2.840.10008.1.2"
#define ANNOUNCED_MAX (1u << 18)

/* A connection: what was read and not yet used lies in in[at..used). */
struct peer {
    int fd;
    uint32_t pdu_max; /* what the other side takes, header not counted */
    uint16_t next_message_id;
    size_t at, used;
    uint8_t in[IN_SIZE];
};

/* The fields of a Command Set that a counter looks at. Absent numbers are 0, absent texts empty. */
struct command {
    uint8_t context_id;
    uint16_t field, message_id, data_set_type, status, remaining, completed, failed, warning;
    char sop_class[66], sop_instance[66];
};

/* A Data Set to send: `size` bytes at `data`, then `fill` bytes of no particular value. */
struct body {
    const uint8_t *data;
    size_t size;
    uint64_t fill;
};

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
double now(void);
void *whole_file(const char *path, size_t *size);

uint32_t get32be(const uint8_t *at);
void put32be(uint8_t *to, uint32_t value);

/* Connections. fill_buffer reads once; 0 when the peer closed. send_parts changes `parts`. */
extern uint8_t filling[FILLING_SIZE]; /* what fill bytes are taken from */
size_t fill_buffer(struct peer *peer);
void send_parts(int fd, struct iovec *parts, size_t count);
int dial(const char *host, int port);
int listen_on_loopback(int *port);
void prepare_socket(int fd);
void read_exactly(struct peer *peer, void *to, size_t size);
void discard(struct peer *peer, size_t size);
void send_all(int fd, const void *data, size_t size);

/* Associations as requestor: one context, number 1. Dies when it is not accepted. */
void associate(struct peer *peer, const char *host, int port, const char *called, const char *abstract,
               const char *syntax);
void release(struct peer *peer);

/* DIMSE. */
size_t put_element(uint8_t *to, uint16_t element, const void *value, size_t size);
size_t put_number(uint8_t *to, uint16_t element, uint16_t value);
size_t put_text(uint8_t *to, uint16_t element, const char *text, char padding);
size_t put_group_length(uint8_t *command, size_t size);
size_t request(uint8_t *to, uint16_t field, const char *sop_class, uint16_t message_id, int data);
void send_message(struct peer *peer, uint8_t context_id, const uint8_t *command, size_t size,
                  const struct body *body);
/* Reads one message and forgets its Data Set, whose length is returned; 0 in *ended unless the peer
 * released (1) or closed (2) instead. */
uint64_t read_message(struct peer *peer, struct command *command, int *ended);
void expect_response(struct peer *peer, struct command *command, uint16_t field);

#endif
