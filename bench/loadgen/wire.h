/* One DICOM association for load generators: just enough of PS3.7 and PS3.8, no error recovery.
 *
 * Whatever a healthy peer would not do ends the process with a message: a bench must not measure failures.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { PDU_ASSOCIATE_RQ = 1, PDU_ASSOCIATE_AC, PDU_ASSOCIATE_RJ, PDU_DATA, PDU_RELEASE_RQ, PDU_RELEASE_RP, PDU_ABORT };
enum { C_STORE = 0x0001, C_FIND = 0x0020, C_MOVE = 0x0021, C_ECHO = 0x0030, RESPONSE = 0x8000 };
enum { UID_LENGTH = 56, COMMAND_MAX = 4096, PDU_MAX = 256 * 1024 };

#define VERIFICATION "1.2.840.10008.1.1"
#define CT_IMAGE_STORAGE "1.2.840.10008.5.1.4.1.1.2"
#define STUDY_ROOT_FIND "1.2.840.10008.5.1.4.1.2.2.1"
#define STUDY_ROOT_MOVE "1.2.840.10008.5.1.4.1.2.2.2"
#define EXPLICIT_LE "1.2.840.10008.1.2.1"
#define APPLICATION_CONTEXT "1.2.840.10008.3.1.1.1"
#define IMPLEMENTATION "1.2.826.0.1.3680043.10.1561.99"

typedef struct {
    int fd;
    uint32_t send_max;             /* length of a P-DATA-TF that the peer takes */
    uint8_t *buffer;               /* received bytes: buffer[start .. end] */
    size_t start, end, pdu_left;   /* pdu_left: of the P-DATA-TF that is being read */
    uint8_t command[COMMAND_MAX];  /* the Command Set that is being assembled */
    size_t command_length;
} Association;

typedef struct {
    uint8_t type, context, control; /* type: of the PDU; the others only of a P-DATA-TF */
    const uint8_t *data;            /* borrowed until the next read */
    size_t length;
} Pdv;

typedef struct {
    uint16_t field, status, message_id, has_data, remaining, completed, failed;
    char sop_class[65], sop_instance[65];
} Command;

typedef struct {
    uint8_t bytes[COMMAND_MAX];
    size_t length;
} Buffer;

_Noreturn void die(const char *format, ...);
double now(void);
int dial(int port);
void send_all(int fd, struct iovec *parts, int count);

void association_on(Association *a, int fd);
void association_end(Association *a);
void associate(Association *a, int port, const char *called, const char *sop_class);
void release(Association *a);
Pdv next_pdv(Association *a);
Command next_message(Association *a);
void parse_command(const uint8_t *bytes, size_t length, Command *out);
void send_message(Association *a, const Buffer *command, const uint8_t *data, size_t length);
void send_filled(Association *a, const Buffer *command, const uint8_t *data, size_t length, uint64_t fill);

void put(Buffer *out, const void *bytes, size_t length);
void put_u16be(Buffer *out, unsigned value);
void put_u32be(Buffer *out, uint32_t value);
void put_item(Buffer *out, int type, const void *value, size_t length);
void command_start(Buffer *out, const char *sop_class, unsigned field, unsigned message_id, int has_data);
void command_us(Buffer *out, unsigned element, unsigned value);
void command_text(Buffer *out, unsigned element, const char *value, size_t length, char pad);
void command_finish(Buffer *out);
uint32_t get_u32be(const uint8_t *at);

#endif
